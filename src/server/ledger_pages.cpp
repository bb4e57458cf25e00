#include "server/ledger_pages.h"

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/ledger_json.h"
#include "server/page_answers.h"

namespace inventory::server {
namespace {

using StoredEntries = store::Result<std::vector<store::StoredEntry>>;

constexpr std::string_view kItems = "/items/";
constexpr std::string_view kLedger = "/ledger";
constexpr std::string_view kOrders = "/orders/";
constexpr std::string_view kNoEntries = "there is no entry of such a product";
constexpr std::string_view kBadEncoding = "two hexadecimal digits have to follow a percent sign";
constexpr std::string_view kNoSuchOrder = "there is no such order of this product";

struct ReadEntries {
  domain::ProductId product;
  store::EntryPlace before;
  std::size_t count;

  StoredEntries operator()(store::Reader& reader) const {
    return reader.entries(product, before, count);
  }
};

struct ReadEntriesOfOrder {
  store::OrderSearch search;

  StoredEntries operator()(store::Reader& reader) const { return reader.entries_of_order(search); }
};

// The place that a query names, or the beginning; empty if it is invalid.
std::optional<store::EntryPlace> place_parameter(const ops::HttpRequest& request) {
  const auto text = ops::query_parameter(request.query, "before");
  return text ? read_place(*text) : store::EntryPlace();
}

// The ids that a text in a path or a query may mean: an empty list if no order can have it, nullopt
// if its percent-encoding is invalid.
std::optional<std::vector<domain::OrderId>> ids_of(std::string_view text, bool is_form) {
  const auto decoded = ops::percent_decoded(text, is_form);
  return decoded ? std::optional(possible_ids(*decoded)) : std::nullopt;
}

}  // namespace

bool LedgerPages::is_of_product(std::string_view path) {
  return path.starts_with(kItems) && path.ends_with(kLedger) &&
         path.size() > kItems.size() + kLedger.size();
}

ops::Task<ops::HttpResponse> LedgerPages::of_product(ops::HttpRequest request) {
  std::string_view id = request.path;
  id.remove_prefix(kItems.size());
  id.remove_suffix(kLedger.size());
  const auto product = read_product_id(id);
  if (!product) co_return not_found(kNoEntries);
  const auto before = place_parameter(request);
  const auto limit = number_parameter(request, "limit", kRowsPerPage, 1, kRowsPerPageMax);
  const std::string wrong =
      fmt::format("before takes what an earlier page had as next, limit a number from 1 to {}",
                  kRowsPerPageMax);
  if (!before || !limit) co_return bad_request(wrong);
  const auto count = static_cast<std::size_t>(*limit);
  // Reads one more than is shown, to know whether there are more.
  const auto entries = co_await reader_.read(
      ReadEntries{.product = *product, .before = *before, .count = count + 1});
  if (!entries) {
    co_return entries.error().fault == store::Fault::refused ? bad_request(wrong)
                                                             : unavailable(entries.error());
  }
  if (entries->empty() && !before->time) co_return not_found(kNoEntries);
  std::string body = fmt::format(R"({{"product_id":{},"entries":[)", *product);
  std::size_t shown = 0;
  for (; shown < std::min(count, entries->size()); ++shown) {
    const std::string json = entry_json((*entries)[shown]);
    if (shown > 0 && body.size() + json.size() > kPageBytesMax) break;
    if (shown > 0) body += ',';
    body += json;
  }
  const bool is_last = shown == entries->size();
  body += fmt::format(
      R"(],"next":{}}})",
      is_last ? "null" : fmt::format(R"("{}")", place_text((*entries)[shown - 1].place)));
  co_return json_response(std::move(body));
}

ops::Task<ops::HttpResponse> LedgerPages::of_order(ops::HttpRequest request) {
  // Browsers remove "." and ".." from paths, so such ids come as parameters.
  const std::string_view id = std::string_view(request.path).substr(kOrders.size());
  const auto parameter = ops::query_parameter(request.query, "order_id");
  const auto ids = id.empty() && parameter ? ids_of(*parameter, true) : ids_of(id, false);
  if (!ids) co_return bad_request(kBadEncoding);
  if (ids->empty()) co_return not_found(kNoSuchOrder);
  store::OrderSearch search{.ids = *ids};
  const auto product =
      read_product_id(ops::query_parameter(request.query, "product_id").value_or(""));
  if (!product) {
    co_return bad_request("product_id takes a product's id; an order is found by its product");
  }
  search.product = *product;
  if (const auto line = ops::query_parameter(request.query, "line_id")) {
    const auto lines = ids_of(*line, true);
    if (!lines) co_return bad_request(kBadEncoding);
    if (lines->empty()) co_return not_found(kNoSuchOrder);
    search.lines = *lines;
  }
  auto entries = co_await reader_.read(ReadEntriesOfOrder{std::move(search)});
  if (!entries) co_return unavailable(entries.error());
  const auto stories = stories_of(*std::move(entries));
  if (stories.empty()) co_return not_found(kNoSuchOrder);
  std::string body = fmt::format(R"({{"product_id":{},"orders":[)", *product);
  bool is_cut = false;
  for (const OrderStory& story : stories) {
    const std::string json = story_json(story);
    const bool is_first = &story == &stories.front();
    is_cut = !is_first && body.size() + json.size() > kPageBytesMax;
    if (is_cut) break;
    if (!is_first) body += ',';
    body += json;
  }
  co_return json_response(body + fmt::format(R"(],"more":{}}})", is_cut));
}

}  // namespace inventory::server
