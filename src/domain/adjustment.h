#pragma once

// Adjustments of stock (a delivery, a loss, a correction, a count) and how they are decided.

#include <optional>
#include <string>
#include <vector>

#include "domain/order.h"

namespace inventory::domain {

// Adjustment: a valid request: either a change other than 0 or a quantity to set. `expected` comes
// only with the latter: the quantity is set only if `expected` is on hand.
struct Adjustment {
  OrderId id;  // of the adjustment
  ProductId product;
  std::optional<Quantity> change = std::nullopt;
  std::optional<Quantity> set_to = std::nullopt;
  std::optional<Quantity> expected = std::nullopt;
  std::optional<std::string> reason = std::nullopt;

  std::string ledger_identity() const { return "a" + id.ledger_identity(); }

  // What was asked for, apart from the number, which is the entry's quantity.
  std::string terms() const;
};

// AdjustmentDecision: `quantity` is what is on hand afterwards; empty if there is no such product.
// With the outcomes conflict and invalid (the stock would exceed kQuantityMax), nothing is stored
// and `quantity` is empty.
struct AdjustmentDecision {
  Outcome outcome;
  bool replayed = false;
  std::optional<Quantity> quantity = std::nullopt;

  friend bool operator==(const AdjustmentDecision&, const AdjustmentDecision&) = default;
};

void add_needs(const Adjustment& adjustment, Needs& needs);
AdjustmentDecision decide(const Adjustment& adjustment, Books& books);
std::vector<ProductId> products_of(const Adjustment& adjustment);
Outcome outcome_of(const AdjustmentDecision& decision);

}  // namespace inventory::domain
