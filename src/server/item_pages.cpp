#include "server/item_pages.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "config/integer.h"
#include "contract/json_object.h"
#include "server/item_json.h"

namespace inventory::server {
namespace {

using Items = store::Result<std::vector<store::StoredItem>>;

constexpr std::string_view kPath = "/items/";
constexpr std::int64_t kItemsPerPage = 100;

struct Pending {
  explicit Pending(const boost::asio::any_io_executor& executor) : answered(executor) {}

  boost::asio::steady_timer answered;
  std::optional<Items> items;
};

Items read_now(const ItemPages::OpenReader& open, domain::ProductId after, std::size_t count) {
  const auto reader = open();
  if (auto begun = reader->begin(); !begun) return std::unexpected(std::move(begun.error()));
  return reader->items(after, count, kPageBytesMax);
}

ops::HttpResponse json_response(std::string body) {
  return {.body = std::move(body), .content_type = "application/json"};
}

ops::HttpResponse unavailable() {
  return {.status = 503, .body = "the database does not answer\n", .retry_after = "1"};
}

// A parameter of the query as a number; its default where it is not given.
std::optional<std::int64_t> number(const ops::HttpRequest& request, std::string_view name,
                                   std::int64_t otherwise, std::int64_t min, std::int64_t max) {
  const auto text = ops::query_parameter(request.query, name);
  if (!text) return otherwise;
  const auto number = config::parse_integer(*text);
  if (!number || *number < min || *number > max) return std::nullopt;
  return number;
}

}  // namespace

ItemPages::ItemPages(const boost::asio::any_io_executor& executor, OpenReader open)
    : executor_(executor), open_(std::move(open)) {}

ItemPages::~ItemPages() {
  thread_.stop();
  thread_.join();
}

ops::Task<Items> ItemPages::read(domain::ProductId after, std::size_t count) {
  if (reads_ == kItemReadsMax) {
    co_return std::unexpected(store::Error{store::Fault::unavailable, "too many wait for items"});
  }
  ++reads_;
  const auto pending = std::make_shared<Pending>(executor_);
  pending->answered.expires_after(kItemReadTimeout);
  boost::asio::post(thread_, [this, pending, after, count] {
    Items items = read_now(open_, after, count);
    boost::asio::post(executor_, [this, pending, items = std::move(items)]() mutable {
      --reads_;
      pending->items = std::move(items);
      pending->answered.cancel();
    });
  });
  co_await pending->answered.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  std::optional<Items> items = std::move(pending->items);
  if (!items) {
    co_return std::unexpected(store::Error{store::Fault::unavailable, "no items in time"});
  }
  co_return *std::move(items);
}

void ItemPages::report(const store::StoredItem& item) {
  const auto odd = unreadable(item);
  if (odd.empty()) return;
  const auto left_out = odd_rows_.admit(std::chrono::steady_clock::now());
  if (!left_out) return;
  spdlog::warn("http: {}, and is shown as null{}", odd,
               *left_out == 0 ? "" : fmt::format(" ({} lines like it left out)", *left_out));
}

ops::Task<ops::HttpResponse> ItemPages::one(ops::HttpRequest request) {
  const auto id = config::parse_integer(std::string_view(request.path).substr(kPath.size()));
  if (!id || *id < 1 || *id > contract::kIntegerMax) {
    co_return ops::HttpResponse{.status = 404, .body = "there is no such item\n"};
  }
  const auto items = co_await read(*id - 1, 1);
  if (!items) co_return unavailable();
  if (items->empty() || items->front().id != *id) {
    co_return ops::HttpResponse{.status = 404, .body = "there is no such item\n"};
  }
  report(items->front());
  co_return json_response(item_json(items->front()) + "\n");
}

ops::Task<ops::HttpResponse> ItemPages::page(ops::HttpRequest request) {
  const auto after = number(request, "after", 0, 0, contract::kIntegerMax);
  const auto limit = number(request, "limit", kItemsPerPage, 1, std::int64_t{kItemsPerPageMax});
  if (!after || !limit) {
    co_return ops::HttpResponse{
        .status = 400,
        .body = fmt::format("after takes an id, limit a number from 1 to {}\n", kItemsPerPageMax)};
  }
  const auto items = co_await read(*after, static_cast<std::size_t>(*limit));
  if (!items) co_return unavailable();
  std::string body = R"({"items":[)";
  domain::ProductId last = *after;
  std::size_t described = 0;  // bytes
  bool is_cut = false;
  for (const store::StoredItem& item : *items) {
    const std::string text = item_json(item);
    const bool is_first = &item == &items->front();
    is_cut = !is_first && body.size() + text.size() > kPageBytesMax;
    if (is_cut) break;
    described += item.description ? item.description->size() : 0;
    if (!is_first) body += ',';
    body += text;
    last = item.id;
    report(item);
  }
  // The reader ends a page where the next description would be too much for it.
  is_cut = is_cut || described + store::kDescriptionBytesShown > kPageBytesMax;
  const bool is_last = !is_cut && items->size() < static_cast<std::size_t>(*limit);
  body += fmt::format(R"(],"next":{}}})", is_last ? "null" : fmt::to_string(last));
  co_return json_response(body + "\n");
}

}  // namespace inventory::server
