#pragma once

// What the expiry of a hold is, and how it is decided: what an order took for a time is given back,
// once. Whoever finds a hold that is over asks for it; any number may find it at once.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/ledger.h"

namespace inventory::domain {

class Books;
struct Needs;

// Expiry: of a hold, by the key of its order's entry.
struct Expiry {
  ProductId product;
  std::string identity;
};

// ExpiryDecision: expired; hold_ended, where it was confirmed, cancelled or given back before, or
// there is none, or it is not due; invalid, where the stock would exceed kQuantityMax.
struct ExpiryDecision {
  Outcome outcome;
  Quantity quantity = 0;  // that was given back
  bool replayed = false;
  std::optional<std::int64_t> version = std::nullopt;  // of the product, where it was given back

  friend bool operator==(const ExpiryDecision&, const ExpiryDecision&) = default;
};

void add_needs(const Expiry& expiry, Needs& needs);
ExpiryDecision decide(const Expiry& expiry, Books& books);
std::vector<ProductId> products_of(const Expiry& expiry);
Outcome outcome_of(const ExpiryDecision& decision);

}  // namespace inventory::domain
