#pragma once

// Archiver: the port for removing old entries from the ledger while a service keeps writing to it.
//
// An order is removed as a whole, with its cancellation, its confirmation and its expiry, once the
// youngest of them is old enough; never while its hold is open. Their effect on the stock is
// carried into one entry for each product, kBalance, so that the ledger still adds up to the stock.
//
// Guarantees of every adapter:
//   1. find() changes nothing and takes no lock.
//   2. take_out() is one transaction, under the same locks as a service's. An order that has
//      received a request since find(), and so is no longer old, stays.
//   3. After an error other than in_doubt, nothing was removed. After in_doubt, that is unknown;
//      whatever was removed has been carried.
//
// Threads: one. Blocks: every function, at most until the adapter's deadlines.
// Errors:  values of store::Error; `locked` if somebody holds a row lock for more than a moment.

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/error.h"
#include "store/reader.h"

namespace inventory::store {

// A row of the ledger, for a file: the columns of kLedgerColumns. Empty: NULL.
inline constexpr std::array<std::string_view, 11> kLedgerColumns{
    "product_id",     "identity", "outcome", "quantity", "delta",       "decided_at",
    "quantity_after", "version",  "reason",  "terms",    "message_hash"};
using LedgerRow = std::array<std::optional<std::string>, kLedgerColumns.size()>;

// Old entries between two places of the ledger.
struct OldEntries {
  std::vector<LedgerPlace> keys;    // of the orders to remove, sorted
  std::vector<LedgerRow> rows;      // all entries of these orders
  std::optional<LedgerPlace> next;  // the last entry examined; empty at the end of the ledger
};

class Archiver {
 public:
  Archiver() = default;
  Archiver(const Archiver&) = delete;
  Archiver& operator=(const Archiver&) = delete;
  virtual ~Archiver() = default;

  // Connects. An entry is old if it was decided longer than `age` ago, by the database's clock.
  virtual Result<void> begin(std::chrono::seconds age) = 0;

  // Examines the next `count` entries.
  virtual Result<OldEntries> find(const LedgerPlace& after, std::size_t count) = 0;

  // Removes all entries of the orders with these keys. Returns the number of entries removed.
  virtual Result<std::size_t> take_out(std::span<const LedgerPlace> keys) = 0;
};

}  // namespace inventory::store
