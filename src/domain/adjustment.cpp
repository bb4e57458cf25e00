#include "domain/adjustment.h"

#include "domain/books.h"

namespace inventory::domain {

std::string Adjustment::terms() const {
  if (change) return "change";
  return expected ? "set_to, expected " + std::to_string(*expected) : "set_to";
}

void add_needs(const Adjustment& adjustment, Needs& needs) {
  needs.products.push_back(adjustment.product);
  needs.entries.emplace_back(adjustment.product, adjustment.ledger_identity());
}

AdjustmentDecision decide(const Adjustment& adjustment, Books& books) {
  LedgerKey key(adjustment.product, adjustment.ledger_identity());
  const Quantity asked = adjustment.change ? *adjustment.change : adjustment.set_to.value_or(0);
  std::string terms = adjustment.terms();
  if (const auto* earlier = books.entry(key.first, key.second)) {
    if (earlier->quantity != asked || earlier->terms != terms) {
      return {.outcome = Outcome::conflict};
    }
    return {.outcome = earlier->outcome, .replayed = true, .quantity = earlier->quantity_after};
  }
  Outcome outcome = Outcome::adjusted;
  Quantity delta = 0;
  if (const Stock* const stock = books.stock(adjustment.product); stock == nullptr) {
    outcome = Outcome::product_not_found;
  } else if (adjustment.expected && *adjustment.expected != stock->quantity) {
    outcome = Outcome::inventory_changed;
  } else {
    delta = adjustment.change ? asked : asked - stock->quantity;
    if (delta > kQuantityMax - stock->quantity) return {.outcome = Outcome::invalid};
    if (delta < -stock->quantity) {
      outcome = Outcome::not_enough_stock;
      delta = 0;
    }
  }
  const LedgerEntry& entry = books.post({.key = std::move(key),
                                         .outcome = outcome,
                                         .quantity = asked,
                                         .delta = delta,
                                         .reason = adjustment.reason,
                                         .terms = std::move(terms)});
  return {.outcome = outcome, .quantity = entry.quantity_after};
}

std::vector<ProductId> products_of(const Adjustment& adjustment) { return {adjustment.product}; }

Outcome outcome_of(const AdjustmentDecision& decision) { return decision.outcome; }

}  // namespace inventory::domain
