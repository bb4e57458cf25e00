#include "domain/cancellation.h"

#include "domain/books.h"

namespace inventory::domain {
namespace {

// What is still to be given back of an order's item. Of a product that is gone there is nothing.
Quantity owed(const LedgerEntry* order, const LedgerEntry* cancelled, const Stock* stock) {
  const bool was_taken = order != nullptr && order->outcome == Outcome::accepted;
  return was_taken && cancelled == nullptr && stock != nullptr ? order->quantity : 0;
}

}  // namespace

void add_needs(const Cancellation& cancellation, Needs& needs) {
  const std::string identity = cancellation.order_ledger_identity();
  for (const auto& item : cancellation.items) {
    needs.products.push_back(item.product);
    needs.entries.emplace_back(item.product, identity);
    needs.entries.emplace_back(item.product, "c" + identity);
  }
}

CancellationDecision decide(const Cancellation& cancellation, Books& books) {
  const std::string identity = cancellation.order_ledger_identity();
  const std::string own_identity = "c" + identity;
  for (const auto& [product, quantity] : cancellation.items) {
    const LedgerEntry* const order = books.entry(product, identity);
    const Stock* const stock = books.stock(product);
    if (order == nullptr) continue;
    if (quantity && order->outcome != Outcome::cancelled_first && order->quantity != *quantity) {
      return {.conflicts_with = OrderItem{product, order->quantity}};
    }
    const Quantity back = owed(order, books.entry(product, own_identity), stock);
    if (back > 0 && stock->quantity > kQuantityMax - back) return {.beyond_limit = product};
  }
  CancellationDecision decision{.replayed = true};
  for (const auto& [product, _] : cancellation.items) {
    const LedgerEntry* const order = books.entry(product, identity);
    const LedgerEntry* const cancelled = books.entry(product, own_identity);
    const Quantity back = owed(order, cancelled, books.stock(product));
    const bool was_cancelled =
        cancelled != nullptr || (order != nullptr && order->outcome == Outcome::cancelled_first);
    decision.items.push_back({product, cancelled != nullptr ? cancelled->quantity : back});
    if (was_cancelled) continue;
    const bool was_taken = order != nullptr && order->outcome == Outcome::accepted;
    if (was_taken && books.stock(product) == nullptr) books.set_torn();
    decision.replayed = false;
    books.post({.key = {product, order == nullptr ? identity : own_identity},
                .outcome = order == nullptr ? Outcome::cancelled_first : Outcome::cancelled,
                .quantity = back,
                .delta = back,
                .message_hash = cancellation.message_hash});
  }
  return decision;
}

std::vector<ProductId> products_of(const Cancellation& cancellation) {
  std::vector<ProductId> products;
  products.reserve(cancellation.items.size());
  for (const auto& item : cancellation.items) products.push_back(item.product);
  return products;
}

Outcome outcome_of(const CancellationDecision& decision) {
  if (decision.conflicts_with) return Outcome::conflict;
  return decision.beyond_limit ? Outcome::invalid : Outcome::cancelled;
}

}  // namespace inventory::domain
