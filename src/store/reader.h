#pragma once

// Reader: the port for commands that read a database while a service may be writing to it.
//
// Guarantees of every adapter:
//   1. It changes nothing, takes no lock that a service would wait for, and works on a standby or
//      on a file that a service has open.
//   2. All calls after begin() see the database as it was at one moment.
//
// Threads: one. Blocks: every function, at most until the adapter's deadlines; for programs that do
//          nothing else meanwhile.
// Errors:  values of store::Error. After an error, call begin() again.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "domain/item.h"
#include "domain/order.h"
#include "store/error.h"

namespace inventory::store {

// Amount: the stock of a product, or the sum of its ledger's deltas.
struct Amount {
  domain::ProductId product;
  domain::Quantity quantity;

  friend bool operator==(const Amount&, const Amount&) = default;
};

// StoredItem: an item as stored in its table. An adopted row may lack created_at. The description
// is the bytes in the table: UTF-8, unless the database does not check it.
struct StoredItem {
  domain::ProductId id = 0;
  std::optional<domain::Quantity> quantity = 0;  // empty: not an integer
  std::optional<std::string> description = std::nullopt;
  std::optional<domain::Timestamp> created_at = std::nullopt;

  // created_at is set but not in the years 1 to 9999: infinity, for example.
  bool has_odd_time = false;
  // The description is longer than kDescriptionBytesShown and was left out.
  bool has_long_description = false;

  domain::Quantity held = 0;  // by open holds
  std::optional<domain::Quantity> low_stock = std::nullopt;
  std::int64_t version = 0;

  friend bool operator==(const StoredItem&, const StoredItem&) = default;
};

// For descriptions written by others. The service itself accepts at most 10,000 bytes.
inline constexpr std::size_t kDescriptionBytesShown = 65'536;

// The key of a ledger entry after which reading continues. The default is before all entries.
struct LedgerPlace {
  domain::ProductId product = std::numeric_limits<domain::ProductId>::min();
  std::string identity;

  friend bool operator==(const LedgerPlace&, const LedgerPlace&) = default;
};

struct LedgerRange {
  domain::ProductId first;
  domain::ProductId last;

  // The share of the range before a product, from 0 to 1: for a progress bar.
  double share_before(domain::ProductId product) const {
    const auto distance = [this](domain::ProductId to) {
      return static_cast<double>(to) - static_cast<double>(first);
    };
    return last == first ? 0 : std::clamp(distance(product) / distance(last), 0.0, 1.0);
  }
};

// Orders of a product whose entry is `held`, though they have no open hold and no entry that ended
// one.
struct LostHolds {
  domain::ProductId product;
  std::size_t count;
  std::string first;  // the identity of one

  friend bool operator==(const LostHolds&, const LostHolds&) = default;
};

// A part of the ledger: the sums of consecutive entries, by product, in the order of ids. The last
// product may continue in the next part.
struct LedgerPart {
  std::vector<Amount> sums;
  std::vector<LostHolds> lost_holds;
  std::optional<LedgerPlace> next;  // the last entry read; empty at the end of the ledger

  friend bool operator==(const LedgerPart&, const LedgerPart&) = default;
};

// An open hold, with the ledger's entries for its order.
struct OpenHold {
  LedgerPlace order;
  std::optional<domain::Quantity> quantity;     // empty: not an integer
  std::optional<domain::Timestamp> expires_at;  // empty: not a time
  std::optional<domain::LedgerEntry> entry;     // the order's, with outcome, quantity and terms
  std::string ending;                           // the outcome of the entry that ended it

  friend bool operator==(const OpenHold&, const OpenHold&) = default;
};

// Of all products; counted up to kHoldsCountedMax.
struct HoldCounts {
  std::size_t open = 0;
  std::size_t due = 0;                  // open holds that are due
  std::chrono::microseconds overdue{};  // of the hold due longest

  friend bool operator==(const HoldCounts&, const HoldCounts&) = default;
};
inline constexpr std::size_t kHoldsCountedMax = 1'000'000;

// A position between the entries of a product, ordered by time, then version; within a version,
// entries that changed nothing come after the one that made it. The default is after all entries.
struct EntryPlace {
  std::optional<std::string> time = std::nullopt;  // as the adapter writes it
  std::int64_t version = 0;                        // -1: none
  bool is_change = false;
  std::string identity = {};

  friend bool operator==(const EntryPlace&, const EntryPlace&) = default;
};

// A ledger entry as stored in its table, for display. Texts longer than any that a request can
// write were entered by hand, and are cut.
struct StoredEntry {
  std::string identity;
  std::string outcome = {};  // possibly one that only a newer program knows
  std::optional<domain::Quantity> quantity = std::nullopt;
  std::optional<domain::Quantity> delta = std::nullopt;
  std::optional<domain::Quantity> quantity_after = std::nullopt;
  std::optional<std::string> reason = std::nullopt;
  std::optional<std::string> terms = std::nullopt;
  std::optional<domain::Timestamp> decided_at = std::nullopt;  // empty: not in the years 1 to 9999
  EntryPlace place = {};

  friend bool operator==(const StoredEntry&, const StoredEntry&) = default;
};

// In characters. An identity that the service writes has at most 270.
inline constexpr std::int64_t kIdentityShown = 300;
inline constexpr std::int64_t kTextShown = 1'000;

// Selects entries of an order: with any of these ids (a person may not know whether 42 was sent as
// a number or as a string) and any of these lines, or all lines if none are given.
struct OrderSearch {
  domain::ProductId product = 0;
  std::vector<domain::OrderId> ids;  // at least one
  std::vector<domain::OrderId> lines = {};
};

// At most this many lines of an order are found for a product.
inline constexpr std::int64_t kLinesFoundMax = 1'000;

struct ItemSearch;  // item_search.h

class Reader {
 public:
  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  virtual ~Reader() = default;

  // Connects, unless an earlier connection was kept, and takes a snapshot of the database.
  virtual Result<void> begin() = 0;

  // Releases the snapshot. Nothing stays open that could hold up a database, but an idle connection
  // may be kept for the next begin().
  virtual void end() = 0;

  // The stock of at most `count` products whose ids come after `after`, in the order of ids.
  virtual Result<std::vector<Amount>> stock(domain::ProductId after, std::size_t count) = 0;

  // The items of the same products. Stops before the descriptions exceed `bytes_max` bytes in
  // total, but returns at least one item.
  virtual Result<std::vector<StoredItem>> items(domain::ProductId after, std::size_t count,
                                                std::size_t bytes_max) = 0;

  // At most `count` items that match, in the order of the search; `bytes_max` as in items(). Reads
  // all items, unless the order is by id and enough items are found earlier.
  virtual Result<std::vector<StoredItem>> find_items(const ItemSearch& search, std::size_t count,
                                                     std::size_t bytes_max) = 0;

  // The products of the ledger's first and last entry; empty if it has none.
  virtual Result<std::optional<LedgerRange>> ledger_range() = 0;

  // Adds up the next `count` entries of the ledger.
  virtual Result<LedgerPart> ledger(const LedgerPlace& after, std::size_t count) = 0;

  // The next `count` open holds, in the order of their orders' keys.
  virtual Result<std::vector<OpenHold>> holds(const LedgerPlace& after, std::size_t count) = 0;

  // Counts open holds, and those due by the database's clock.
  virtual Result<HoldCounts> count_holds() = 0;

  // At most `count` entries of a product before a position, newest first.
  // Errors: refused if the position is not one of this adapter's.
  virtual Result<std::vector<StoredEntry>> entries(domain::ProductId product,
                                                   const EntryPlace& before, std::size_t count) = 0;

  // All entries of an order, newest first.
  virtual Result<std::vector<StoredEntry>> entries_of_order(const OrderSearch& search) = 0;
};

}  // namespace inventory::store
