#pragma once

// Outcome: what became of a request, and a table with all words and properties of outcomes.
//
// The ledger, the metrics and the log take their words from the table. A new outcome is an
// enumerator and its row.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace inventory::domain {

enum class Outcome : std::uint8_t {
  accepted,
  product_not_found,
  not_enough_stock,
  conflict,  // its identity was decided before, with other content
  item_added,
  invalid,
  too_large,
  refused,          // by the database
  opening,          // the stock that an item began with
  product_exists,   // the id that was chosen for an item is taken
  other_item,       // rejected, since another item of the order was not available
  cancelled_first,  // rejected, since it was cancelled before it came
  cancelled,
  adjusted,
  inventory_changed,  // an adjustment expected another quantity
  held,               // an order was accepted for a time
  confirmed,          // its hold became final
  hold_expired,       // not confirmed: its hold was over
  order_cancelled,    // not confirmed: it was cancelled before
  order_rejected,     // not confirmed: it was rejected before
  order_not_found,    // not confirmed: it has not been seen
  expired,            // a hold was over, and its stock was given back
  hold_ended,         // nothing given back: the hold had ended before
};

struct OutcomeRow {
  Outcome outcome;
  std::string_view word;    // in the ledger; empty: not stored
  std::string_view label;   // of metrics; empty: not counted
  std::string_view reason;  // of metrics, beside the label
  std::string_view text;    // as in logs: "not enough stock"
  bool is_dead_lettered = false;
  bool writes_stock = false;  // a new decision with it writes the stock of a product
};

inline constexpr std::array kOutcomes{
    OutcomeRow{Outcome::accepted, "accepted", "accepted", "", "accepted", false, true},
    OutcomeRow{Outcome::product_not_found, "product_not_found", "rejected", "product_not_found",
               "product not found"},
    OutcomeRow{Outcome::not_enough_stock, "not_enough_stock", "rejected", "not_enough_stock",
               "not enough stock"},
    OutcomeRow{Outcome::conflict, "", "rejected", "conflict", "conflict with an earlier decision"},
    OutcomeRow{Outcome::item_added, "", "added", "", "item added"},
    OutcomeRow{Outcome::invalid, "", "invalid", "invalid", "invalid", true},
    OutcomeRow{Outcome::too_large, "", "invalid", "too_large", "too large", true},
    OutcomeRow{Outcome::refused, "", "invalid", "refused", "refused by the database", true},
    OutcomeRow{Outcome::opening, "opening", "", "", "opening stock"},
    OutcomeRow{Outcome::product_exists, "", "rejected", "product_exists", "product already exists"},
    OutcomeRow{Outcome::other_item, "other_item", "rejected", "other_item",
               "another item was not available"},
    OutcomeRow{Outcome::cancelled_first, "cancelled_first", "rejected", "cancelled",
               "cancelled before it came"},
    OutcomeRow{Outcome::cancelled, "cancelled", "cancelled", "", "cancelled"},
    OutcomeRow{Outcome::adjusted, "adjusted", "adjusted", "", "adjusted", false, true},
    OutcomeRow{Outcome::inventory_changed, "inventory_changed", "rejected", "inventory_changed",
               "inventory has changed"},
    OutcomeRow{Outcome::held, "held", "held", "", "held", false, true},
    OutcomeRow{Outcome::confirmed, "confirmed", "confirmed", "", "confirmed"},
    OutcomeRow{Outcome::hold_expired, "hold_expired", "rejected", "hold_expired", "hold expired"},
    OutcomeRow{Outcome::order_cancelled, "order_cancelled", "rejected", "cancelled",
               "order was cancelled"},
    OutcomeRow{Outcome::order_rejected, "order_rejected", "rejected", "rejected",
               "order was rejected"},
    OutcomeRow{Outcome::order_not_found, "", "rejected", "order_not_found", "order not found"},
    OutcomeRow{Outcome::expired, "expired", "expired", "", "hold expired, given back", false, true},
    OutcomeRow{Outcome::hold_ended, "", "ended_before", "", "hold has ended before"},
};

inline constexpr std::size_t kOutcomeCount = kOutcomes.size();

constexpr std::size_t index_of(Outcome outcome) { return static_cast<std::size_t>(outcome); }

constexpr const OutcomeRow& row_of(Outcome outcome) { return kOutcomes[index_of(outcome)]; }

// Empty if the word is unknown: a newer program may have written it.
constexpr std::optional<Outcome> find_outcome(std::string_view word) {
  for (const OutcomeRow& row : kOutcomes) {
    if (!word.empty() && row.word == word) return row.outcome;
  }
  return std::nullopt;
}

static_assert(
    [] {
      for (std::size_t i = 0; i < kOutcomes.size(); ++i) {
        if (index_of(kOutcomes[i].outcome) != i) return false;
      }
      return true;
    }(),
    "a row for each outcome, in the order of the enumerators");

}  // namespace inventory::domain
