#pragma once

// What an adjustment of stock is, and how it is decided: a delivery, a loss, a correction, a count.

#include <optional>
#include <string>
#include <vector>

#include "domain/order.h"

namespace inventory::domain {

// Adjustment: a valid request: a change other than 0, or a quantity to set, never both. `expected`
// only with the latter: it is done only if that is what there is.
struct Adjustment {
  OrderId id;  // of the adjustment
  ProductId product;
  std::optional<Quantity> change = std::nullopt;
  std::optional<Quantity> set_to = std::nullopt;
  std::optional<Quantity> expected = std::nullopt;
  std::optional<std::string> reason = std::nullopt;

  std::string ledger_identity() const { return "a" + id.ledger_identity(); }

  // All that was asked for, beside the number that the ledger has as its quantity.
  std::string terms() const;
};

// AdjustmentDecision: `quantity` is what there is afterwards; nothing where there is no such
// product. With the outcomes conflict, and invalid, where the stock would exceed kQuantityMax,
// nothing is stored, and there is none.
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
