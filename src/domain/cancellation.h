#pragma once

// Cancellations and how they are decided: what an order took is given back, once.
//
// A cancellation never fails: if there is nothing to give back, it gives back nothing. If its order
// has not been seen, it writes an entry under the order's own identity, so that the order is
// rejected if it comes after all. Otherwise its entry's identity is c followed by the order's.

#include <optional>
#include <vector>

#include "domain/basket.h"

namespace inventory::domain {

// Cancellation: a valid request: at least one item, each product once.
struct Cancellation {
  struct Item {
    ProductId product;
    std::optional<Quantity> quantity;  // if given, it must be what was decided
  };

  OrderId id;
  std::vector<Item> items;
  std::optional<OrderId> line = std::nullopt;
  std::optional<std::int64_t> message_hash = std::nullopt;

  std::string order_ledger_identity() const { return order_identity(id, line); }
};

// CancellationDecision: what was given back, one item per product, in the order of the request;
// replayed if all of them were cancelled before. Nothing was done if `conflicts_with` (what was
// decided) or `beyond_limit` (a product whose stock would exceed kQuantityMax) is set.
struct CancellationDecision {
  std::vector<OrderItem> items = {};
  bool replayed = false;
  std::optional<OrderItem> conflicts_with = std::nullopt;
  std::optional<ProductId> beyond_limit = std::nullopt;

  friend bool operator==(const CancellationDecision&, const CancellationDecision&) = default;
};

void add_needs(const Cancellation& cancellation, Needs& needs);
CancellationDecision decide(const Cancellation& cancellation, Books& books);
std::vector<ProductId> products_of(const Cancellation& cancellation);
Outcome outcome_of(const CancellationDecision& decision);

}  // namespace inventory::domain
