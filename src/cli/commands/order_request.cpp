#include "cli/commands/order_request.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "cli/options.h"
#include "cli/request_client.h"
#include "contract/limits.h"
#include "domain/hold.h"

namespace inventory::cli {
namespace {

using contract::kIntegerMax;
using contract::kItemsMax;
using contract::kOrderIdBytesMax;
using contract::RequestedItem;
using Items = std::vector<RequestedItem>;

std::expected<std::optional<domain::Quantity>, std::string> read_quantity(
    const std::string& flag, const std::optional<std::string>& text, Quantities quantities) {
  if (!text && quantities == Quantities::optional) return std::nullopt;
  return read_integer(flag, text, 1, kIntegerMax);
}

// 1:2 means two of product 1.
std::expected<RequestedItem, std::string> read_item(std::string_view text, Quantities quantities) {
  const std::size_t colon = text.find(':');
  const auto product = read_integer("--item", std::string(text.substr(0, colon)), 1, kIntegerMax);
  std::optional<std::string> rest;
  if (colon != std::string_view::npos) rest = text.substr(colon + 1);
  const auto quantity = read_quantity("--item", rest, quantities);
  if (product && quantity) return RequestedItem{.product = *product, .quantity = *quantity};
  return Wrong(fmt::format("--item takes {}; not {}",
                           quantities == Quantities::required
                               ? "a product and its quantity, such as 1:2"
                               : "a product, or a product and its quantity, such as 1 or 1:2",
                           config::quoted_for_message(text)));
}

std::expected<Items, std::string> read_list(const std::vector<std::string>& texts,
                                            Quantities quantities) {
  if (texts.size() > kItemsMax) {
    return Wrong(fmt::format("--item is given {} times; an order has at most {} items",
                             texts.size(), kItemsMax));
  }
  Items items;
  items.reserve(texts.size());
  for (const std::string& text : texts) {
    const auto item = read_item(text, quantities);
    if (!item) return Wrong(item.error());
    items.push_back(*item);
  }
  return items;
}

std::expected<Items, std::string> read_single(const Arguments& given, Quantities quantities) {
  const auto text = given.option("--product-id");
  if (!text) return Wrong("--product-id or --item is missing");
  const auto product = read_integer("--product-id", text, 1, kIntegerMax);
  if (!product) return Wrong(product.error());
  const auto quantity = read_quantity("--quantity", given.option("--quantity"), quantities);
  if (!quantity) return Wrong(quantity.error());
  return Items{{.product = *product, .quantity = *quantity}};
}

std::expected<std::optional<std::chrono::seconds>, std::string> read_hold(const Arguments& given) {
  static constexpr std::chrono::seconds kMax(domain::kHoldSecondsMax);
  const auto text = given.option("--hold");
  if (!text) return std::nullopt;
  const auto hold = read_duration("--hold", *text);
  if (!hold) return Wrong(hold.error());
  if (*hold >= std::chrono::seconds(1) && *hold <= kMax) return *hold;
  return Wrong(
      fmt::format("--hold takes a time from 1s to 30d; not {}", config::quoted_for_message(*text)));
}

void append_item(std::string& json, const RequestedItem& item) {
  json += fmt::format(R"("product_id":{})", item.product);
  if (item.quantity) json += fmt::format(R"(,"quantity":{})", *item.quantity);
}

}  // namespace

std::expected<OrderRequest, std::string> read_order_request(const Arguments& given,
                                                            Quantities quantities) {
  const auto list = given.repeated("--item");
  if (!list.empty() && (given.option("--product-id") || given.option("--quantity"))) {
    return Wrong("--item takes the place of --product-id and --quantity: give either");
  }
  auto items = list.empty() ? read_single(given, quantities) : read_list(list, quantities);
  if (!items) return Wrong(items.error());
  if (quantities == Quantities::optional && !given.option("--order-id")) {
    return Wrong("--order-id is missing");
  }
  auto order_id = read_id_or_new(given, "--order-id");
  if (!order_id) return Wrong(order_id.error());
  std::optional<domain::OrderId> line_id;
  if (const auto text = given.option("--line-id")) {
    auto read = read_id("--line-id", *text);
    if (!read) return Wrong(read.error());
    line_id = *std::move(read);
  }
  std::optional<std::chrono::seconds> hold;
  if (quantities == Quantities::required) {
    const auto read = read_hold(given);
    if (!read) return Wrong(read.error());
    hold = *read;
  }
  const auto timeout = read_timeout(given);
  if (!timeout) return Wrong(timeout.error());
  return OrderRequest{.order_id = *std::move(order_id),
                      .line_id = std::move(line_id),
                      .items = *std::move(items),
                      .is_list = !list.empty(),
                      .hold = hold,
                      .timeout = *timeout};
}

std::string body_of(const OrderRequest& request) {
  const std::string end =
      request.hold ? fmt::format(R"(,"hold_seconds":{}}})", request.hold->count()) : "}";
  std::string json = R"({"order_id":)";
  contract::append_id(json, request.order_id);
  if (request.line_id) {
    json += R"(,"line_id":)";
    contract::append_id(json, request.line_id);
  }
  json += ',';
  if (!request.is_list) {
    append_item(json, request.items.front());
    return json += end;
  }
  json += R"("items":[)";
  for (const RequestedItem& item : request.items) {
    json += json.back() == '[' ? "{" : ",{";
    append_item(json, item);
    json += '}';
  }
  return json += ']' + end;
}

std::vector<domain::ProductId> ordered_products(const OrderRequest& request) {
  std::vector<domain::ProductId> products;
  products.reserve(request.items.size());
  for (const RequestedItem& item : request.items) products.push_back(item.product);
  return products;
}

std::vector<Option> order_request_options(Quantities quantities) {
  const bool is_new = quantities == Quantities::required;
  const auto ids = fmt::format(
      "sent as an integer if it is one (123), otherwise as a string of at\nmost {} bytes",
      kOrderIdBytesMax);
  std::vector<Option> options{
      {"--product-id", "N", fmt::format("from 1 to {}; or use --item", kIntegerMax)},
      {"--quantity", "N",
       is_new ? fmt::format("from 1 to {}", kIntegerMax)
              : "optional; must be the quantity that was ordered"},
      {"--item", is_new ? "PRODUCT:QUANTITY" : "PRODUCT[:QUANTITY]",
       fmt::format("an item of the order; repeat it for several items, at most {}", kItemsMax),
       true},
      {"--order-id", "ID",
       is_new ? ids + ";\nthe same id is the same order; a new UUID if not given"
              : ids + "; required"},
      {"--line-id", "ID", "the line of the order, if it has several lines for one product"}};
  if (is_new) {
    options.push_back(
        {"--hold", "TIME",
         "hold the stock for this time, from 1s to 30d, such as 15m;\nconfirm the order in time"});
  }
  options.push_back(timeout_option("the reply"));
  return options;
}

}  // namespace inventory::cli
