#pragma once

// What messages about orders have in common: how their ids and items are read, how their replies
// begin.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contract/json_object.h"
#include "contract/limits.h"
#include "contract/request_error.h"
#include "domain/order.h"

namespace inventory::contract {

// An order_id, or another id of the same kind. The error names it.
std::expected<domain::OrderId, std::string> read_id(std::string_view name, JsonValue value,
                                                    std::string_view forbidden);

// The same for an optional id: empty if it is absent or null.
std::expected<std::optional<domain::OrderId>, std::string> read_optional_id(
    std::string_view name, JsonValue value, std::string_view forbidden);

// An integer from 1 to kIntegerMax.
std::expected<std::int64_t, std::string> read_positive(std::string_view name,
                                                       const JsonValue& value);

// RequestedItem: an item of a request about an order. An empty quantity was left out.
struct RequestedItem {
  domain::ProductId product;
  std::optional<domain::Quantity> quantity;
};

// Reads the member "items", 1 to kItemsMax elements with kItemMembers. A product that occurs twice
// becomes one item with the sum of the quantities, or without a quantity if one lacks it.
inline constexpr std::string_view kItemMembers[] = {"product_id", "quantity"};
std::expected<std::vector<RequestedItem>, std::string> read_items(
    const std::optional<JsonArray>& array, bool needs_quantity);

// OrderReference: names an order that was sent before, or items of it. A request to order_validate
// is a valid reference as it is.
struct OrderReference {
  domain::OrderId id;
  std::vector<RequestedItem> items;
  std::optional<domain::OrderId> line;
};

// The body of a request with such a reference, as parsed.
struct ReferenceMessage {
  std::expected<OrderReference, RequestError> reference;
  std::optional<domain::OrderId> order_id;  // if that member is valid, even if others are not
  std::string_view object;                  // the JSON object as it came; else empty
};

// Reads a body. One of more than bytes_max bytes is not parsed. `object` points into `body`.
ReferenceMessage read_reference(std::string_view body, std::size_t bytes_max);

// "order_id A-17" or "order_id A-17, line_id 4".
std::string name_of(const domain::OrderId& id, const std::optional<domain::OrderId>& line);

void append_id(std::string& json, const std::optional<domain::OrderId>& id);

// The four members that every reply about an order has; without the closing brace, so that more may
// follow. `object` is the request as it came; empty if it was not a JSON object.
inline constexpr std::string_view kOrderData = R"(,"order_data":)";
std::string open_reply(const std::optional<domain::OrderId>& id, bool success,
                       std::string_view message, std::string_view object);

}  // namespace inventory::contract
