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

// The same where it is optional: nothing where there is none. JSON's null is none, too.
std::expected<std::optional<domain::OrderId>, std::string> read_optional_id(
    std::string_view name, JsonValue value, std::string_view forbidden);

// An integer from 1 to kIntegerMax.
std::expected<std::int64_t, std::string> read_positive(std::string_view name,
                                                       const JsonValue& value);

// RequestedItem: an item of a request about an order. Without a quantity it was left out.
struct RequestedItem {
  domain::ProductId product;
  std::optional<domain::Quantity> quantity;
};

// The member "items", whose elements were read as kItemMembers: 1 to kItemsMax of them. A product
// that occurs twice is one item with the sum of the quantities, or without one.
inline constexpr std::string_view kItemMembers[] = {"product_id", "quantity"};
std::expected<std::vector<RequestedItem>, std::string> read_items(
    const std::optional<JsonArray>& array, bool needs_quantity);

// OrderReference: what names an order that was sent before, or items of it. What was sent to
// order_validate is one as it is.
struct OrderReference {
  domain::OrderId id;
  std::vector<RequestedItem> items;
  std::optional<domain::OrderId> line;
};

// A request body of a queue that takes such references, and what could be made of it.
struct ReferenceMessage {
  std::expected<OrderReference, RequestError> reference;
  std::optional<domain::OrderId> order_id;  // if that member is valid, even where others are not
  std::string_view object;                  // the JSON object as it came; empty if the body is none
};

// Reads a body. One of more than bytes_max bytes is not looked at. `object` points into `body`.
ReferenceMessage read_reference(std::string_view body, std::size_t bytes_max);

// "order_id A-17" or "order_id A-17, line_id 4".
std::string name_of(const domain::OrderId& id, const std::optional<domain::OrderId>& line);

void append_id(std::string& json, const std::optional<domain::OrderId>& id);

// The four members that every reply about an order has; without the closing brace, so that more may
// follow. `object` is the request as it came; empty: it was no JSON object.
inline constexpr std::string_view kOrderData = R"(,"order_data":)";
std::string open_reply(const std::optional<domain::OrderId>& id, bool success,
                       std::string_view message, std::string_view object);

}  // namespace inventory::contract
