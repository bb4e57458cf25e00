#include "domain/decide_orders.h"

#include <algorithm>

namespace inventory::domain {
namespace {

OrderDecision repeat(const EarlierDecision& earlier, Quantity asked) {
  if (earlier.quantity != asked) {
    return {.verdict = earlier.verdict, .replayed = false, .conflicts_with = earlier.quantity};
  }
  return {.verdict = earlier.verdict, .replayed = true, .conflicts_with = std::nullopt};
}

}  // namespace

BatchOutcome decide_orders(std::span<const Order> orders, const BatchView& view) {
  BatchOutcome outcome;
  outcome.decisions.reserve(orders.size());
  std::map<ProductId, Quantity> on_hand = view.on_hand;
  std::map<ProductId, Quantity> changed;
  std::map<LedgerKey, LedgerEntry> entries;

  for (const Order& order : orders) {
    LedgerKey key{order.product, order.ledger_identity()};
    if (const auto earlier = view.decisions.find(key); earlier != view.decisions.end()) {
      outcome.decisions.push_back(repeat(earlier->second, order.quantity));
      continue;
    }
    if (const auto here = entries.find(key); here != entries.end()) {
      const EarlierDecision earlier{here->second.verdict, here->second.quantity};
      outcome.decisions.push_back(repeat(earlier, order.quantity));
      continue;
    }
    const auto stock = on_hand.find(order.product);
    Verdict verdict = Verdict::accepted;
    if (stock == on_hand.end()) {
      verdict = Verdict::product_not_found;
    } else if (stock->second < order.quantity) {
      verdict = Verdict::not_enough_stock;
    } else {
      stock->second -= order.quantity;
      changed[order.product] = stock->second;
    }
    const Quantity delta = verdict == Verdict::accepted ? -order.quantity : 0;
    LedgerEntry entry{key, verdict, order.quantity, delta};
    entries.emplace(std::move(key), std::move(entry));
    outcome.decisions.push_back({.verdict = verdict});
  }

  outcome.changed_stock.assign(changed.begin(), changed.end());
  outcome.new_entries.reserve(entries.size());
  std::ranges::transform(entries, std::back_inserter(outcome.new_entries),
                         [](auto& keyed) { return std::move(keyed.second); });
  return outcome;
}

}  // namespace inventory::domain
