#pragma once

// The messages of the queue order_validate: JSON in, JSON out, as specified in docs/contract.md.

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "contract/request_error.h"
#include "domain/basket.h"
#include "domain/order.h"

namespace inventory::contract {

// OrderMessage: a request body as parsed: an order of one item or of several.
struct OrderMessage {
  std::expected<std::variant<domain::Order, domain::Basket>, RequestError> order;
  std::optional<domain::OrderId> order_id;  // if that member is valid, even if others are not
  std::string_view object;                  // the JSON object as it came; else empty

  // Null if the order is not valid, or not of this form.
  const domain::Order* single() const {
    return order ? std::get_if<domain::Order>(&*order) : nullptr;
  }
  const domain::Basket* basket() const {
    return order ? std::get_if<domain::Basket>(&*order) : nullptr;
  }
};

// Reads a body. One of more than bytes_max bytes is not parsed. `object` points into `body`.
OrderMessage read_order(std::string_view body, std::size_t bytes_max);

// The reply to a decided order, in the message's form.
std::string order_reply(const OrderMessage& message, const domain::OrderDecision& decision);
std::string basket_reply(const OrderMessage& message, const domain::BasketDecision& decision);

// The reply to a request that is not valid, or that the database refused.
std::string invalid_order_reply(const OrderMessage& message, std::string_view what);

// The order of one item that a reply answers, if it holds a valid one. For logs.
std::optional<domain::Order> order_of_reply(std::string_view reply);

}  // namespace inventory::contract
