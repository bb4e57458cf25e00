#include "hold_model.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

namespace inventory::simulation {
namespace {

using enum domain::Outcome;

std::string text_of(const domain::LedgerKey& key) {
  return fmt::format("product {}, {}", key.first, key.second);
}

std::string text_of(const domain::Confirmation& confirmation) {
  std::string text = confirmation.order_ledger_identity();
  for (const auto& [product, quantity] : confirmation.items) {
    text += fmt::format(" {}:{}", product, quantity.value_or(0));
  }
  return text;
}

}  // namespace

void HoldModel::on_decided(const domain::Command& command, const domain::Decision& decision,
                           bool is_serial, domain::Timestamp began, Time now) {
  is_serial_ = is_serial;
  began_ = began;
  now_ = now;
  std::visit(
      [&](const auto& one) {
        using DecisionOfKind = decltype(domain::decide(one, std::declval<domain::Books&>()));
        decided(one, std::get<DecisionOfKind>(decision));
      },
      command);
}

const HoldModel::Item* HoldModel::find(const domain::LedgerKey& key) const {
  const auto found = items_.find(key);
  return found == items_.end() ? nullptr : &found->second;
}

const std::vector<domain::ConfirmationDecision>& HoldModel::answers(
    const domain::Confirmation& confirmation) const {
  static const std::vector<domain::ConfirmationDecision> kNone;
  const auto found = answers_.find(text_of(confirmation));
  return found == answers_.end() ? kNone : found->second;
}

std::optional<Time> HoldModel::expiry_decided(const domain::LedgerKey& key) const {
  const auto found = expiry_decided_.find(key);
  return found == expiry_decided_.end() ? std::nullopt : std::optional(found->second);
}

void HoldModel::add(const domain::LedgerKey& key, domain::Quantity quantity,
                    std::optional<std::int64_t> hold_seconds, domain::Outcome outcome,
                    std::optional<domain::Timestamp> held_until) {
  Item& item = items_[key];
  if (item.is_tombstone) return;
  item.quantity = quantity;
  item.hold_seconds = hold_seconds;
  item.was_taken = outcome == accepted || outcome == held;
  if (item.was_taken && hold_seconds) item.until = began_ + std::chrono::seconds(*hold_seconds);
  if ((outcome == held) != item.until.has_value() || held_until != item.until) {
    broken_("an order is held for as long as it asks, by the database's clock", text_of(key));
  }
}

void HoldModel::decided(const domain::Order& order, const domain::OrderDecision& decision) {
  if (decision.conflicts_with) return;
  const domain::LedgerKey key(order.product, order.ledger_identity());
  if (!decision.replayed) {
    add(key, order.quantity, order.hold_seconds, decision.outcome, decision.held_until);
  } else if (const Item* const item = find(key);
             item == nullptr || decision.held_until != item->until) {
    broken_("an order that comes again is held until then", text_of(key));
  }
}

void HoldModel::decided(const domain::Basket& basket, const domain::BasketDecision& decision) {
  if (decision.outcome == conflict) return;
  for (const auto& [product, quantity] : basket.items) {
    const domain::LedgerKey key(product, basket.ledger_identity());
    if (!decision.replayed) {
      add(key, quantity, basket.hold_seconds, decision.outcome, decision.held_until);
    } else if (const Item* const item = find(key);
               item == nullptr || (item->until && decision.held_until != item->until &&
                                   domain::outcome_of(decision) == held)) {
      broken_("an order that comes again is held until then", text_of(key));
    }
  }
}

void HoldModel::decided(const domain::Cancellation& cancellation,
                        const domain::CancellationDecision& decision) {
  if (decision.conflicts_with || decision.beyond_limit) return;
  std::size_t at = 0;
  for (const auto& [product, _] : cancellation.items) {
    const domain::LedgerKey key(product, cancellation.order_ledger_identity());
    const auto [found, is_unseen] = items_.try_emplace(key);
    Item& item = found->second;
    if (is_unseen) {
      item.is_tombstone = true;
    } else if (!item.is_tombstone && !item.is_cancelled) {
      item.is_cancelled = true;
      item.given_back = item.was_taken && !item.is_expired ? item.quantity : 0;
    }
    const domain::Quantity said = decision.items.at(at++).quantity;
    if (said != item.given_back) {
      broken_("what an order took comes back exactly once",
              fmt::format("{}: {} instead of {} by its cancellation", text_of(key), said,
                          item.given_back));
    }
  }
}

// The outcome of a confirmation for a single item.
domain::Outcome HoldModel::outcome_of(const Item& item) const {
  if (item.is_tombstone || item.is_cancelled) return order_cancelled;
  if (!item.was_taken) return order_rejected;
  if (item.is_expired) return hold_expired;
  return item.is_open() && *item.until <= began_ ? hold_expired : confirmed;
}

// The outcome of a confirmation: all items or none. A rejection is final.
domain::Outcome HoldModel::expected(const std::vector<Item*>& items) const {
  for (const Item* const item : items) {
    if (item != nullptr && item->refused) return *item->refused;
  }
  if (std::ranges::find(items, nullptr) != items.end()) return order_not_found;
  if (std::ranges::all_of(items, [](const Item* item) { return item->is_confirmed; })) {
    return confirmed;
  }
  auto answer = confirmed;
  for (const Item* const item : items) {
    const auto outcome = outcome_of(*item);
    if (outcome == order_cancelled) return order_cancelled;  // decides for all
    if (answer == confirmed) answer = outcome;
  }
  return answer;
}

void HoldModel::decided(const domain::Confirmation& confirmation,
                        const domain::ConfirmationDecision& decision) {
  auto& answers = answers_[text_of(confirmation)];
  if (std::ranges::find(answers, decision) == answers.end()) answers.push_back(decision);
  std::vector<Item*> items;
  bool is_conflict = false;
  for (const auto& [product, quantity] : confirmation.items) {
    const auto found = items_.find({product, confirmation.order_ledger_identity()});
    items.push_back(found == items_.end() ? nullptr : &found->second);
    const Item* const item = items.back();
    is_conflict |=
        quantity && item != nullptr && !item->is_tombstone && item->quantity != *quantity;
  }
  if (!is_serial_ && decision.outcome != confirmed) {  // for a product that does not exist
    see_refused(confirmation);
    return;
  }
  const domain::Outcome outcome = is_conflict ? conflict : expected(items);
  if (decision.outcome != outcome) {
    broken_("a confirmation is answered by what became of its order",
            fmt::format("{}: {} instead of {}", text_of(confirmation),
                        domain::row_of(decision.outcome).text, domain::row_of(outcome).text));
    return;
  }
  if (outcome == conflict || outcome == order_not_found) return;
  for (Item* const item : items) {
    if (item == nullptr || item->is_confirmed || item->refused) continue;
    if (outcome == confirmed) {
      item->is_confirmed = true;
    } else if (outcome_of(*item) == outcome && !decision.replayed) {
      item->refused = outcome;
    }
  }
}

// Takes the rejection from the ledger.
void HoldModel::see_refused(const domain::Confirmation& confirmation) {
  const std::string identity = confirmation.order_ledger_identity();
  for (const auto& [product, _] : confirmation.items) {
    const auto item = items_.find({product, identity});
    const auto entry = tables_.ledger.find({product, "f" + identity});
    if (item != items_.end() && entry != tables_.ledger.end() &&
        entry->second.outcome != confirmed) {
      item->second.refused = entry->second.outcome;
    }
  }
}

void HoldModel::decided(const domain::Expiry& expiry, const domain::ExpiryDecision& decision) {
  const domain::LedgerKey key(expiry.product, expiry.identity);
  expiry_decided_[key] = now_;
  const auto found = items_.find(key);
  Item* const item = found == items_.end() ? nullptr : &found->second;
  const bool was_expired = item != nullptr && item->is_expired;
  const bool is_due = item != nullptr && item->is_open() && *item->until <= began_;
  const domain::Quantity back = was_expired || is_due ? item->quantity : 0;
  if ((decision.outcome == expired) != (was_expired || is_due) ||
      decision.replayed != was_expired || decision.quantity != back) {
    broken_("a hold is given back when it is over by the database's clock, once, unless it ended",
            text_of(key));
    return;
  }
  if (is_due) item->is_expired = true;
}

}  // namespace inventory::simulation
