#pragma once

// The expiry of a hold and how it is decided: what the order held is given back, once. Any number
// of instances may find the same hold and ask for its expiry.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/ledger.h"

namespace inventory::domain {

class Books;
struct Needs;

// Expiry: names a hold by the key of its order's entry.
struct Expiry {
  ProductId product;
  std::string identity;
};

// ExpiryDecision: expired; hold_ended, if the hold was confirmed, cancelled or given back before,
// does not exist, or is not due; invalid, if the stock would exceed kQuantityMax.
struct ExpiryDecision {
  Outcome outcome;
  Quantity quantity = 0;  // given back
  bool replayed = false;
  std::optional<std::int64_t> version = std::nullopt;  // of the product, if stock was given back

  friend bool operator==(const ExpiryDecision&, const ExpiryDecision&) = default;
};

void add_needs(const Expiry& expiry, Needs& needs);
ExpiryDecision decide(const Expiry& expiry, Books& books);
std::vector<ProductId> products_of(const Expiry& expiry);
Outcome outcome_of(const ExpiryDecision& decision);

}  // namespace inventory::domain
