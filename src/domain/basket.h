#pragma once

// Orders of several items and how they are decided: all items are taken or none.
//
// Each item has an identity of its own: that of the order id and product. So an order is
//   new       if none of its items was decided under this identity before;
//   replayed  if all of them were, with these quantities: accepted if all were accepted, else
//             rejected as before;
//   conflict  in every other case: rejected, and nothing is stored.
// If one of its items was cancelled before the order came, nothing is taken.

#include <optional>
#include <vector>

#include "domain/order.h"

namespace inventory::domain {

struct OrderItem {
  ProductId product;
  Quantity quantity;

  friend bool operator==(const OrderItem&, const OrderItem&) = default;
};

// Basket: a valid request: at least one item, each product once, numbers as in Order.
struct Basket {
  OrderId id;
  std::vector<OrderItem> items;
  std::optional<OrderId> line = std::nullopt;
  std::optional<std::int64_t> message_hash = std::nullopt;
  std::optional<std::int64_t> hold_seconds = std::nullopt;

  std::string ledger_identity() const { return order_identity(id, line); }
};

// InTheWay: an item for which an order was rejected. `available` is the quantity at the time of the
// decision; empty if there is no such product.
struct InTheWay {
  ProductId product;
  std::optional<Quantity> available;

  friend bool operator==(const InTheWay&, const InTheWay&) = default;
};

// BasketDecision: as OrderDecision. `outcome` is that of the order as a whole.
struct BasketDecision {
  Outcome outcome;
  bool replayed = false;
  bool may_be_another_line = false;
  std::vector<InTheWay> in_the_way = {};  // in the order of the request

  // With the outcome conflict: the item that was decided with another quantity or another hold, and
  // that hold's seconds. Empty: the order was decided for other items.
  std::optional<OrderItem> conflicts_with = std::nullopt;
  std::optional<std::int64_t> hold_of_conflict = std::nullopt;

  std::optional<Timestamp> held_until = std::nullopt;

  friend bool operator==(const BasketDecision&, const BasketDecision&) = default;
};

void add_needs(const Basket& basket, Needs& needs);
BasketDecision decide(const Basket& basket, Books& books);
std::vector<ProductId> products_of(const Basket& basket);
Outcome outcome_of(const BasketDecision& decision);

}  // namespace inventory::domain
