#pragma once

// HoldModel: a second, simple implementation of what docs/contract.md says about each item of an
// order: it takes one request after the other, in the order of their commits. It reports decisions
// of the service that differ.
//
// It does not check whether there was enough stock: it takes the decision about an order as
// correct.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/command.h"
#include "scheduler.h"
#include "tables.h"

namespace inventory::simulation {

class HoldModel {
 public:
  struct Item {
    bool is_tombstone = false;  // the order was cancelled before it came
    bool was_taken = false;
    domain::Quantity quantity = 0;
    std::optional<std::int64_t> hold_seconds;  // as requested
    std::optional<domain::Timestamp> until;    // if it was held
    bool is_cancelled = false;
    bool is_confirmed = false;
    bool is_expired = false;
    domain::Quantity given_back = 0;         // by its cancellation
    std::optional<domain::Outcome> refused;  // why its confirmation was rejected

    bool is_open() const { return until && !is_cancelled && !is_confirmed && !is_expired; }
  };

  using Broken = std::function<void(std::string_view promise, std::string_view how)>;
  HoldModel(const Tables& tables, Broken broken) : tables_(tables), broken_(std::move(broken)) {}

  // A decision that was committed. `is_serial`: its products were locked; otherwise the decision
  // may not take concurrent ones into account. `began`: when its transaction began, by the
  // database's clock. `now`: the time of the commit.
  void on_decided(const domain::Command& command, const domain::Decision& decision, bool is_serial,
                  domain::Timestamp began, Time now);

  // The item with this key of the order's entry; null if none was seen.
  const Item* find(const domain::LedgerKey& key) const;

  // The decisions about this confirmation so far.
  const std::vector<domain::ConfirmationDecision>& answers(
      const domain::Confirmation& confirmation) const;

  // When an expiry of this item was last decided, with any outcome.
  std::optional<Time> expiry_decided(const domain::LedgerKey& key) const;

 private:
  void decided(const domain::Order& order, const domain::OrderDecision& decision);
  void decided(const domain::Basket& basket, const domain::BasketDecision& decision);
  void decided(const domain::Cancellation& cancellation,
               const domain::CancellationDecision& decision);
  void decided(const domain::Confirmation& confirmation,
               const domain::ConfirmationDecision& decision);
  void decided(const domain::Expiry& expiry, const domain::ExpiryDecision& decision);
  void decided(const domain::Adjustment&, const domain::AdjustmentDecision&) {}
  void decided(const domain::NewItem&, const domain::ItemDecision&) {}

  void add(const domain::LedgerKey& key, domain::Quantity quantity,
           std::optional<std::int64_t> hold_seconds, domain::Outcome outcome,
           std::optional<domain::Timestamp> held_until);
  domain::Outcome outcome_of(const Item& item) const;
  void see_refused(const domain::Confirmation& confirmation);
  domain::Outcome expected(const std::vector<Item*>& items) const;

  const Tables& tables_;
  Broken broken_;
  bool is_serial_ = true;
  domain::Timestamp began_;
  Time now_{0};
  std::map<domain::LedgerKey, Item> items_;
  std::map<std::string, std::vector<domain::ConfirmationDecision>> answers_;
  std::map<domain::LedgerKey, Time> expiry_decided_;
};

}  // namespace inventory::simulation
