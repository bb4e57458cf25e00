#include "server/item_pages.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "contract/limits.h"
#include "server/item_json.h"
#include "server/page_answers.h"

namespace inventory::server {
namespace {

constexpr std::string_view kPath = "/items/";
constexpr std::string_view kNoSuchItem = "there is no such item";

struct ReadItems {
  domain::ProductId after;
  std::size_t count;

  store::Result<std::vector<store::StoredItem>> operator()(store::Reader& reader) const {
    return reader.items(after, count, kPageBytesMax);
  }
};

}  // namespace

void ItemPages::report(const store::StoredItem& item) {
  const auto odd = unreadable(item);
  if (odd.empty()) return;
  const auto left_out = odd_rows_.admit(std::chrono::steady_clock::now());
  if (!left_out) return;
  spdlog::warn("http: {}, and is shown as null{}", odd,
               *left_out == 0 ? "" : fmt::format(" ({} lines like it left out)", *left_out));
}

ops::Task<ops::HttpResponse> ItemPages::one(ops::HttpRequest request) {
  const auto id = read_product_id(std::string_view(request.path).substr(kPath.size()));
  if (!id) co_return not_found(kNoSuchItem);
  const auto items = co_await reader_.read(ReadItems{.after = *id - 1, .count = 1});
  if (!items) co_return unavailable();
  if (items->empty() || items->front().id != *id) co_return not_found(kNoSuchItem);
  report(items->front());
  co_return json_response(item_json(items->front()));
}

ops::Task<ops::HttpResponse> ItemPages::page(ops::HttpRequest request) {
  const auto after = number_parameter(request, "after", 0, 0, contract::kIntegerMax);
  const auto limit = number_parameter(request, "limit", kRowsPerPage, 1, kRowsPerPageMax);
  if (!after || !limit) {
    co_return bad_request(
        fmt::format("after takes an id, limit a number from 1 to {}", kRowsPerPageMax));
  }
  const auto items =
      co_await reader_.read(ReadItems{.after = *after, .count = static_cast<std::size_t>(*limit)});
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
  co_return json_response(std::move(body));
}

}  // namespace inventory::server
