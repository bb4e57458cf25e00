#pragma once

// Archiver: the port through which old entries are taken out of the ledger, beside a service that
// goes on writing to it.
//
// What goes, goes as a whole: an order with its cancellation, its confirmation and its expiry, once
// the youngest of them is old enough; not while its hold is open. What they did to the stock is
// carried into one entry for each product, kBalance, so that the ledger still adds up to the stock.
//
// Guarantees, whichever the adapter:
//   1. find() changes nothing and takes no lock.
//   2. take_out() is one transaction, under the locks that a service takes. Whatever has been asked
//      about an order since it was found, so that it is not old any more, lets it stay.
//   3. With an error other than in_doubt nothing was taken out. With in_doubt it is not known, and
//      what went has been carried.
//
// Threads: one. Blocks: every function; at most for the adapter's deadlines.
// Errors:  values of store::Error; `locked` where somebody keeps a row for longer than moments.

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

// A row of the ledger, for a file: what kLedgerColumns name. Nothing: NULL.
inline constexpr std::array<std::string_view, 11> kLedgerColumns{
    "product_id",     "identity", "outcome", "quantity", "delta",       "decided_at",
    "quantity_after", "version",  "reason",  "terms",    "message_hash"};
using LedgerRow = std::array<std::optional<std::string>, kLedgerColumns.size()>;

// Old entries between two places of the ledger.
struct OldEntries {
  std::vector<LedgerPlace> keys;    // of what goes as a whole, sorted
  std::vector<LedgerRow> rows;      // all that goes with them
  std::optional<LedgerPlace> next;  // the last entry that was looked at; nothing: it was the last
};

class Archiver {
 public:
  Archiver() = default;
  Archiver(const Archiver&) = delete;
  Archiver& operator=(const Archiver&) = delete;
  virtual ~Archiver() = default;

  // Connects. Entries are old that were decided longer ago than `age`, by the database's clock.
  virtual Result<void> begin(std::chrono::seconds age) = 0;

  // Looks at the next `count` entries.
  virtual Result<OldEntries> find(const LedgerPlace& after, std::size_t count) = 0;

  // Takes out what goes with these keys. Returns how many entries went.
  virtual Result<std::size_t> take_out(std::span<const LedgerPlace> keys) = 0;
};

}  // namespace inventory::store
