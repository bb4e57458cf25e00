#pragma once

// Holds: stock that an order takes for a time, until the hold is confirmed, cancelled, or over.
//
// The order's entry (outcome `held`) takes the stock at once. At most one further entry of the
// order ends the hold:
//   f  it was confirmed: the stock stays taken
//   c  it was cancelled: the stock was given back
//   x  it was over: the stock was given back
// Until then the hold is open, and has a row in the table of open holds. It cannot be confirmed
// once it is due, even if the stock has not been given back yet. Times are by the database's clock.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "domain/ledger.h"
#include "domain/timestamp.h"

namespace inventory::domain {

class Books;

inline constexpr std::int64_t kHoldSecondsMax = 2'592'000;  // 30 days

// Hold: an open hold.
struct Hold {
  LedgerKey key;  // the order's
  Quantity quantity = 0;
  Timestamp expires_at;

  friend bool operator==(const Hold&, const Hold&) = default;
};

// HoldTerms: for how long an order asked to hold, and until when it holds if it was accepted.
struct HoldTerms {
  std::int64_t seconds = 0;
  std::optional<Timestamp> until = std::nullopt;

  friend bool operator==(const HoldTerms&, const HoldTerms&) = default;
};

// The text that an entry keeps: `hold 900`, or `hold 900 until 1796040000000000`, in microseconds
// since 1970.
std::string text_of(const HoldTerms& terms);

// Reads them from an order's entry; empty if it asked for no hold.
std::optional<HoldTerms> hold_terms(const LedgerEntry& order);

// Completes the new entry of an order's item: sets its delta, if its outcome takes stock, and the
// terms of the hold, if it asked for one. Opens the hold and returns when it ends.
std::optional<Timestamp> take(LedgerEntry& entry, const std::optional<std::int64_t>& hold_seconds,
                              Books& books);

// What became of an item of an order, by its entries. The needs must name them.
struct OrderEntries {
  const LedgerEntry* order = nullptr;
  const LedgerEntry* cancelled = nullptr;
  const LedgerEntry* confirmed = nullptr;  // the answer to a confirmation, which may have failed
  const LedgerEntry* expired = nullptr;

  OrderEntries(const Books& books, ProductId product, const std::string& identity);

  bool was_taken() const;     // stock was taken by the order, for good or for a time
  bool is_confirmed() const;  // by an f entry
  bool is_open() const;       // it holds stock
};

inline std::string cancelled_identity(std::string_view order) { return "c" + std::string(order); }
inline std::string confirmed_identity(std::string_view order) { return "f" + std::string(order); }
inline std::string expired_identity(std::string_view order) { return "x" + std::string(order); }

}  // namespace inventory::domain
