#pragma once

// Confirmations and how they are decided: a hold becomes final, for all its items or for none.
//
// An order that was accepted without a hold counts as confirmed. A repeated confirmation gets the
// same answer, except after `order not found`, which is not stored: repeated after the order, it
// succeeds. The answer is stored under f followed by the order's identity.

#include <optional>
#include <vector>

#include "domain/basket.h"

namespace inventory::domain {

// Confirmation: a valid request: at least one item, each product once.
struct Confirmation {
  struct Item {
    ProductId product;
    std::optional<Quantity> quantity;  // if given, it must be what was decided
  };

  OrderId id;
  std::vector<Item> items;
  std::optional<OrderId> line = std::nullopt;

  std::string order_ledger_identity() const { return order_identity(id, line); }
};

// ConfirmationDecision: confirmed, hold_expired, order_cancelled, order_rejected or
// order_not_found; conflict, with what was decided, if a quantity differs: nothing was done.
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
