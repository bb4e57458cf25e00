#pragma once

// What a confirmation is, and how it is decided: a hold becomes final, all items of it or none.
//
// An order that was accepted without a hold is as good as confirmed. What has been answered stays
// so, but for `order not found`, which is kept nowhere: asked again after the order, it is
// confirmed. What a confirmation was answered is kept under f and the order's identity.

#include <optional>
#include <vector>

#include "domain/basket.h"

namespace inventory::domain {

// Confirmation: a valid request: at least one item, each product once.
struct Confirmation {
  struct Item {
    ProductId product;
    std::optional<Quantity> quantity;  // if it is there, it must be what was decided
  };

  OrderId id;
  std::vector<Item> items;
  std::optional<OrderId> line = std::nullopt;

  std::string order_ledger_identity() const { return order_identity(id, line); }
};

// ConfirmationDecision: confirmed, hold_expired, order_cancelled, order_rejected or
// order_not_found; conflict, with what was decided, where a quantity differs: nothing was done.
struct ConfirmationDecision {
  Outcome outcome;
  bool replayed = false;
  std::optional<OrderItem> conflicts_with = std::nullopt;

  friend bool operator==(const ConfirmationDecision&, const ConfirmationDecision&) = default;
};

void add_needs(const Confirmation& confirmation, Needs& needs);
ConfirmationDecision decide(const Confirmation& confirmation, Books& books);
std::vector<ProductId> products_of(const Confirmation& confirmation);
Outcome outcome_of(const ConfirmationDecision& decision);

}  // namespace inventory::domain
