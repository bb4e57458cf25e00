#include "domain/confirmation.h"

#include <algorithm>

#include "domain/books.h"
#include "domain/hold.h"

namespace inventory::domain {
namespace {

// The answer for one item alone.
Outcome outcome_of_item(const OrderEntries& entries, const Books& books) {
  if (entries.confirmed != nullptr && entries.confirmed->outcome != Outcome::confirmed) {
    return entries.confirmed->outcome;  // the same answer
  }
  if (entries.order == nullptr) return Outcome::order_not_found;
  if (entries.cancelled != nullptr || entries.order->outcome == Outcome::cancelled_first) {
    return Outcome::order_cancelled;
  }
  if (!entries.was_taken()) return Outcome::order_rejected;
  if (entries.expired != nullptr) return Outcome::hold_expired;
  if (!entries.is_open()) return Outcome::confirmed;
  const auto terms = hold_terms(*entries.order);
  const bool is_due = terms && terms->until && *terms->until <= books.now();
  return is_due ? Outcome::hold_expired : Outcome::confirmed;
}

}  // namespace

void add_needs(const Confirmation& confirmation, Needs& needs) {
  const std::string identity = confirmation.order_ledger_identity();
  for (const auto& item : confirmation.items) {
    needs.products.push_back(item.product);
    needs.add_order_entries(item.product, identity);
  }
  needs.now = true;
}

ConfirmationDecision decide(const Confirmation& confirmation, Books& books) {
  const std::string identity = confirmation.order_ledger_identity();
  std::vector<OrderEntries> items;
  items.reserve(confirmation.items.size());
  for (const auto& [product, quantity] : confirmation.items) {
    const auto& entries = items.emplace_back(books, product, identity);
    if (quantity && entries.order != nullptr &&
        entries.order->outcome != Outcome::cancelled_first &&
        entries.order->quantity != *quantity) {
      return {.outcome = Outcome::conflict,
              .conflicts_with = OrderItem{product, entries.order->quantity}};
    }
  }
  if (std::ranges::all_of(items, &OrderEntries::is_confirmed)) {
    return {.outcome = Outcome::confirmed, .replayed = true};
  }
  std::vector<Outcome> outcomes;
  outcomes.reserve(items.size());
  for (const auto& entries : items) outcomes.push_back(outcome_of_item(entries, books));

  // If one item was answered before, that answer is repeated for all.
  const auto answered = std::ranges::find_if(items, [](const OrderEntries& entries) {
    return entries.confirmed != nullptr && !entries.is_confirmed();
  });
  if (answered != items.end()) return {.outcome = answered->confirmed->outcome, .replayed = true};
  const bool is_unseen =
      std::ranges::any_of(outcomes, [](Outcome one) { return one == Outcome::order_not_found; });
  if (is_unseen) return {.outcome = Outcome::order_not_found};
  // A cancelled item decides for all: one that was confirmed and then cancelled has no other
  // answer, and stays cancelled, while the hold of another item may yet expire.
  auto failed = std::ranges::find(outcomes, Outcome::order_cancelled);
  if (failed == outcomes.end()) {
    failed = std::ranges::find_if(outcomes, [](Outcome one) { return one != Outcome::confirmed; });
  }
  const bool is_confirmed = failed == outcomes.end();
  const Outcome outcome = is_confirmed ? Outcome::confirmed : *failed;
  for (std::size_t at = 0; at < items.size(); ++at) {
    if (items[at].confirmed != nullptr || outcomes[at] != outcome) continue;
    const ProductId product = confirmation.items[at].product;
    if (is_confirmed && items[at].is_open()) books.close_hold({product, identity});
    books.post({.key = {product, confirmed_identity(identity)},
                .outcome = outcome,
                .quantity = items[at].order->quantity});
  }
  return {.outcome = outcome};
}

std::vector<ProductId> products_of(const Confirmation& confirmation) {
  std::vector<ProductId> products;
  products.reserve(confirmation.items.size());
  for (const auto& item : confirmation.items) products.push_back(item.product);
  return products;
}

Outcome outcome_of(const ConfirmationDecision& decision) { return decision.outcome; }

}  // namespace inventory::domain
