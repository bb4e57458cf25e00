#include "server/item_pages.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "config/integer.h"
#include "contract/limits.h"
#include "server/item_json.h"
#include "server/page_answers.h"
#include "store/item_search.h"
#include "terminal/utf8.h"

namespace inventory::server {
namespace {

constexpr std::string_view kPath = "/items/";
constexpr std::string_view kNoSuchItem = "there is no such item";
constexpr std::size_t kSearchBytesMax = 1000;

struct ReadItems {
  domain::ProductId after;
  std::size_t count;

  store::Result<std::vector<store::StoredItem>> operator()(store::Reader& reader) const {
    return reader.items(after, count, kPageBytesMax);
  }
};

struct FindItems {
  store::ItemSearch search;
  std::size_t count;

  store::Result<std::vector<store::StoredItem>> operator()(store::Reader& reader) const {
    return reader.find_items(search, count, kPageBytesMax);
  }
};

std::string next_json(const store::ItemPlace& place, store::ItemOrder order) {
  if (order == store::ItemOrder::id) return fmt::to_string(place.id);
  return fmt::format(R"("{}.{}")", place.rank, place.id);
}

std::optional<store::ItemOrder> read_order(std::string_view text) {
  if (text == "id") return store::ItemOrder::id;
  if (text == "quantity") return store::ItemOrder::quantity;
  if (text == "scarcity") return store::ItemOrder::scarcity;
  return std::nullopt;
}

// Reads what next_json() writes.
std::optional<store::ItemPlace> read_item_place(std::string_view text, store::ItemOrder order) {
  const auto dot = text.find('.');
  const bool is_by_id = order == store::ItemOrder::id;
  if (is_by_id != (dot == std::string_view::npos)) return std::nullopt;
  const auto id = config::parse_integer(is_by_id ? text : text.substr(dot + 1));
  const auto rank = is_by_id ? 0 : config::parse_integer(text.substr(0, dot));
  if (!id || !rank) return std::nullopt;
  if (is_by_id && (*id < 0 || *id > contract::kIntegerMax)) return std::nullopt;
  return store::ItemPlace{*rank, *id};
}

// Empty if a parameter is invalid.
std::optional<store::ItemSearch> read_search(const ops::HttpRequest& request) {
  const auto text =
      ops::percent_decoded(ops::query_parameter(request.query, "search").value_or(""), true);
  const auto order = read_order(ops::query_parameter(request.query, "sort").value_or("id"));
  if (!text || !order || text->size() > kSearchBytesMax || !terminal::is_utf8(*text) ||
      text->contains('\0')) {
    return std::nullopt;
  }
  store::ItemSearch search{.text = *text, .order = *order};
  if (*order == store::ItemOrder::id) search.after = {0, 0};
  if (const auto after = ops::query_parameter(request.query, "after")) {
    const auto place = read_item_place(*after, *order);
    if (!place) return std::nullopt;
    search.after = *place;
  }
  return search;
}

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
  if (!items) co_return unavailable(items.error());
  if (items->empty() || items->front().id != *id) co_return not_found(kNoSuchItem);
  report(items->front());
  co_return json_response(item_json(items->front()));
}

// If items are sorted by id, `after` is the last id of the previous page, otherwise the place of
// its last item.
ops::Task<ops::HttpResponse> ItemPages::page(ops::HttpRequest request) {
  const auto search = read_search(request);
  const auto limit = number_parameter(request, "limit", kRowsPerPage, 1, kRowsPerPageMax);
  if (!search || !limit) {
    co_return bad_request(fmt::format(
        "search takes at most {} bytes of UTF-8; sort takes id, quantity or scarcity; after takes "
        "what the page before had as next; limit takes a number from 1 to {}",
        kSearchBytesMax, kRowsPerPageMax));
  }
  const bool is_plain = search->order == store::ItemOrder::id && search->text.empty();
  const auto count = static_cast<std::size_t>(*limit);
  const auto items =
      is_plain ? co_await reader_.read(ReadItems{.after = search->after.id, .count = count})
               : co_await searcher_.read(FindItems{.search = *search, .count = count});
  if (!items) co_return unavailable(items.error());
  std::string body = R"({"items":[)";
  store::ItemPlace last = search->after;
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
    last = store::place_of(item, search->order);
    report(item);
  }
  // The reader ends a page before a description that would not fit.
  is_cut = is_cut || described + store::kDescriptionBytesShown > kPageBytesMax;
  const bool is_last = !is_cut && items->size() < count;
  body += fmt::format(R"(],"next":{}}})", is_last ? "null" : next_json(last, search->order));
  co_return json_response(std::move(body));
}

}  // namespace inventory::server
