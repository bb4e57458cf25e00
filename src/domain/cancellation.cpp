#include "domain/cancellation.h"

#include "domain/books.h"
#include "domain/hold.h"

namespace inventory::domain {
namespace {

// Whether the order took stock of the item that was not given back since.
bool is_owed(const OrderEntries& entries) {
  return entries.was_taken() && entries.cancelled == nullptr && entries.expired == nullptr;
}

// What is still to be given back; 0 if the product is gone.
Quantity owed(const OrderEntries& entries, const Stock* stock) {
  return is_owed(entries) && stock != nullptr ? entries.order->quantity : 0;
}

}  // namespace

void add_needs(const Cancellation& cancellation, Needs& needs) {
  const std::string identity = cancellation.order_ledger_identity();
  for (const auto& item : cancellation.items) {
    needs.products.push_back(item.product);
    needs.add_order_entries(item.product, identity);
  }
}

CancellationDecision decide(const Cancellation& cancellation, Books& books) {
  const std::string identity = cancellation.order_ledger_identity();
  for (const auto& [product, quantity] : cancellation.items) {
    const OrderEntries entries(books, product, identity);
    const LedgerEntry* const order = entries.order;
    const Stock* const stock = books.stock(product);
    if (order == nullptr) continue;
    if (quantity && order->outcome != Outcome::cancelled_first && order->quantity != *quantity) {
      return {.conflicts_with = OrderItem{product, order->quantity}};
    }
    const Quantity back = owed(entries, stock);
    if (back > 0 && stock->quantity > kQuantityMax - back) return {.beyond_limit = product};
  }
  CancellationDecision decision{.replayed = true};
  for (const auto& [product, _] : cancellation.items) {
    const OrderEntries entries(books, product, identity);
    const LedgerEntry* const order = entries.order;
    const LedgerEntry* const cancelled = entries.cancelled;
    const Quantity back = owed(entries, books.stock(product));
    const bool was_cancelled =
        cancelled != nullptr || (order != nullptr && order->outcome == Outcome::cancelled_first);
    decision.items.push_back({product, cancelled != nullptr ? cancelled->quantity : back});
    if (was_cancelled) continue;
    if (is_owed(entries) && books.stock(product) == nullptr) books.set_torn();
    decision.replayed = false;
    if (entries.is_open()) books.close_hold({product, identity});
    books.post({.key = {product, order == nullptr ? identity : cancelled_identity(identity)},
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
