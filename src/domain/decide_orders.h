#pragma once

// The rules by which orders are decided: pure, no I/O, the same for every store.
//
// A store locks and reads what a batch touches (BatchView), calls decide_orders(), and writes what
// it returns (BatchOutcome) in the same transaction.
//
// Invariants: stock never goes below zero; an identity gets one verdict, ever; the stock of a
// product changes by exactly the sum of the deltas of its new ledger entries.

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "domain/order.h"

namespace inventory::domain {

// (product, ledger identity): product first, so that one product's entries lie together.
using LedgerKey = std::pair<ProductId, std::string>;

// BatchView: what the store holds of everything that a batch names, read under lock.
struct BatchView {
  std::map<ProductId, Quantity> on_hand;           // a product that does not exist is absent
  std::map<LedgerKey, EarlierDecision> decisions;  // an order that was not seen before is absent
};

// LedgerEntry: one decision, as it is kept. delta is -quantity if accepted, else 0.
struct LedgerEntry {
  LedgerKey key;
  Verdict verdict;
  Quantity quantity;
  Quantity delta;

  friend bool operator==(const LedgerEntry&, const LedgerEntry&) = default;
};

// BatchOutcome: one decision a request, in the order of the requests, and what is to be written.
// Both lists of writes are sorted by key, which is the order in which they take locks: two
// instances that write in it cannot deadlock.
struct BatchOutcome {
  std::vector<OrderDecision> decisions;
  std::vector<std::pair<ProductId, Quantity>> changed_stock;  // new quantity on hand
  std::vector<LedgerEntry> new_entries;
};

// Decides the orders one after the other, each seeing the stock that those before it left.
BatchOutcome decide_orders(std::span<const Order> orders, const BatchView& view);

}  // namespace inventory::domain
