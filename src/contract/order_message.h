#pragma once

// The messages of the queue order_validate: JSON in, JSON out, as docs/contract.md has them.

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

// OrderMessage: a request body and what could be made of it: an order, or one of several items.
struct OrderMessage {
  std::expected<std::variant<domain::Order, domain::Basket>, RequestError> order;
  std::optional<domain::OrderId> order_id;  // if that member is valid, even where others are not
  std::string_view object;                  // the JSON object as it came; empty if the body is none

  // Null where it is no valid one of that form.
  const domain::Order* single() const {
    return order ? std::get_if<domain::Order>(&*order) : nullptr;
  }
  const domain::Basket* basket() const {
    return order ? std::get_if<domain::Basket>(&*order) : nullptr;
  }
};

// Reads a body. One of more than bytes_max bytes is not looked at. `object` points into `body`.
OrderMessage read_order(std::string_view body, std::size_t bytes_max);

// The reply to a decided order, of the message's form.
std::string order_reply(const OrderMessage& message, const domain::OrderDecision& decision);
std::string basket_reply(const OrderMessage& message, const domain::BasketDecision& decision);

// The reply to a request that is not valid, or that the database refused.
std::string invalid_order_reply(const OrderMessage& message, std::string_view what);

// The order of one item that a reply answers, if it holds a valid one. For logs.
std::optional<domain::Order> order_of_reply(std::string_view reply);

}  // namespace inventory::contract
