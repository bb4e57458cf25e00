#include "domain/basket.h"

#include <algorithm>
#include <array>

#include "domain/books.h"
#include "domain/hold.h"

namespace inventory::domain {
namespace {

using Entries = std::vector<const LedgerEntry*>;  // one per item; null: no entry

// An order that was cancelled before it came has no terms to differ from.
bool differs(const LedgerEntry* entry, const OrderItem& item,
             const std::optional<std::int64_t>& hold_seconds) {
  return entry != nullptr && entry->outcome != Outcome::cancelled_first &&
         (entry->quantity != item.quantity || !has_hold(*entry, hold_seconds));
}

bool is_taken(Outcome outcome) { return outcome == Outcome::accepted || outcome == Outcome::held; }

// The order's outcome: the first of kFirst that an item has.
Outcome outcome_of_all(const Entries& entries) {
  constexpr std::array kFirst{Outcome::cancelled_first, Outcome::product_not_found,
                              Outcome::not_enough_stock, Outcome::other_item};
  for (const Outcome outcome : kFirst) {
    if (std::ranges::any_of(entries,
                            [&](const auto* entry) { return entry->outcome == outcome; })) {
      return outcome;
    }
  }
  return entries.front()->outcome;  // accepted or held, like all the others
}

// The decision on an order, made from the entries of all its items.
BasketDecision decision_of(const Entries& entries, bool replayed) {
  BasketDecision decision{.outcome = outcome_of_all(entries), .replayed = replayed};
  for (const LedgerEntry* const entry : entries) {
    if (is_taken(entry->outcome)) {
      const auto terms = hold_terms(*entry);
      if (terms) decision.held_until = terms->until;
    } else if (entry->outcome != Outcome::other_item) {
      decision.in_the_way.push_back({entry->key.first, entry->quantity_after});
    }
  }
  return decision;
}

Outcome outcome_of_item(const OrderItem& item, const Books& books) {
  const Stock* const stock = books.stock(item.product);
  if (stock == nullptr) return Outcome::product_not_found;
  return stock->quantity < item.quantity ? Outcome::not_enough_stock : Outcome::accepted;
}

BasketDecision decide_new(const Basket& basket, Books& books, Entries entries) {
  const std::string identity = basket.ledger_identity();
  std::vector<Outcome> outcomes;
  outcomes.reserve(basket.items.size());
  for (const OrderItem& item : basket.items) outcomes.push_back(outcome_of_item(item, books));
  const bool was_cancelled =
      std::ranges::any_of(entries, [](const auto* entry) { return entry != nullptr; });
  const bool is_accepted = !was_cancelled && std::ranges::all_of(outcomes, [](Outcome one) {
    return one == Outcome::accepted;
  });
  for (std::size_t i = 0; i < basket.items.size(); ++i) {
    if (entries[i] != nullptr) continue;
    const auto& [product, quantity] = basket.items[i];
    const bool is_in_the_way = !was_cancelled && outcomes[i] != Outcome::accepted;
    const Outcome taken = basket.hold_seconds ? Outcome::held : Outcome::accepted;
    LedgerEntry entry{.key = {product, identity},
                      .outcome = is_accepted     ? taken
                                 : is_in_the_way ? outcomes[i]
                                                 : Outcome::other_item,
                      .quantity = quantity,
                      .message_hash = basket.message_hash};
    take(entry, basket.hold_seconds, books);
    entries[i] = &books.post(std::move(entry));
  }
  return decision_of(entries, false);
}

}  // namespace

void add_needs(const Basket& basket, Needs& needs) {
  const std::string identity = basket.ledger_identity();
  needs.now = needs.now || basket.hold_seconds;
  for (const OrderItem& item : basket.items) {
    needs.products.push_back(item.product);
    needs.entries.emplace_back(item.product, identity);
  }
}

BasketDecision decide(const Basket& basket, Books& books) {
  const std::string identity = basket.ledger_identity();
  Entries entries;
  std::size_t found = 0;
  std::size_t cancelled = 0;
  for (const OrderItem& item : basket.items) {
    const LedgerEntry* const entry = books.entry(item.product, identity);
    if (differs(entry, item, basket.hold_seconds)) {
      const auto terms = hold_terms(*entry);
      return {.outcome = Outcome::conflict,
              .conflicts_with = OrderItem{item.product, entry->quantity},
              .hold_of_conflict = terms ? std::optional(terms->seconds) : std::nullopt};
    }
    entries.push_back(entry);
    found += entry != nullptr ? 1 : 0;
    cancelled += entry != nullptr && entry->outcome == Outcome::cancelled_first ? 1 : 0;
  }
  if (found == entries.size()) {
    BasketDecision decision = decision_of(entries, true);
    decision.may_be_another_line =
        !basket.line && std::ranges::any_of(entries, [&](const auto* entry) {
          return entry->outcome != Outcome::cancelled_first &&  // has the cancellation's hash
                 is_another_message(basket.message_hash, entry->message_hash);
        });
    return decision;
  }
  if (found == cancelled) return decide_new(basket, books, std::move(entries));
  return {.outcome = Outcome::conflict};
}

std::vector<ProductId> products_of(const Basket& basket) {
  std::vector<ProductId> products;
  products.reserve(basket.items.size());
  for (const OrderItem& item : basket.items) products.push_back(item.product);
  return products;
}

Outcome outcome_of(const BasketDecision& decision) { return decision.outcome; }

}  // namespace inventory::domain
