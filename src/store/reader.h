#pragma once

// Reader: the port through which commands look at a database that a service may be writing to.
//
// Guarantees, whichever the adapter:
//   1. It changes nothing, takes no lock that a service would wait for, and is content with a
//      standby or a file that is open in a service.
//   2. All calls after begin() see the database as it was at one moment.
//
// Threads: one. Blocks: every function, for a program that does nothing else meanwhile; at most
//          for the adapter's deadlines.
// Errors:  values of store::Error. After one, begin() again.

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

// StoredItem: an item as its table has it. A row that was adopted may lack created_at. The
// description is what bytes the table holds: UTF-8, unless the database does not check it.
struct StoredItem {
  domain::ProductId id = 0;
  std::optional<domain::Quantity> quantity = 0;  // nothing: it is no integer
  std::optional<std::string> description = std::nullopt;
  std::optional<domain::Timestamp> created_at = std::nullopt;

  // There is a created_at which is no time of the years 1 to 9999: infinity, for example.
  bool has_odd_time = false;
  // The description has more than kDescriptionBytesShown, and is not here.
  bool has_long_description = false;

  domain::Quantity held = 0;  // by open holds
  std::optional<domain::Quantity> low_stock = std::nullopt;
  std::int64_t version = 0;

  friend bool operator==(const StoredItem&, const StoredItem&) = default;
};

// Of a description that somebody else wrote. The service itself takes 10,000 bytes.
inline constexpr std::size_t kDescriptionBytesShown = 65'536;

// A ledger entry's key, at which reading goes on. The default stands before all of them.
struct LedgerPlace {
  domain::ProductId product = std::numeric_limits<domain::ProductId>::min();
  std::string identity;

  friend bool operator==(const LedgerPlace&, const LedgerPlace&) = default;
};

struct LedgerRange {
  domain::ProductId first;
  domain::ProductId last;

  // Which share of it lies before a product, of 1: for a bar that shows how far somebody is.
  double share_before(domain::ProductId product) const {
    const auto distance = [this](domain::ProductId to) {
      return static_cast<double>(to) - static_cast<double>(first);
    };
    return last == first ? 0 : std::clamp(distance(product) / distance(last), 0.0, 1.0);
  }
};

// Orders of a product whose entry is `held`, though no hold of theirs is open and none has ended.
struct LostHolds {
  domain::ProductId product;
  std::size_t count;
  std::string first;  // the identity of one

  friend bool operator==(const LostHolds&, const LostHolds&) = default;
};

// A part of the ledger: the sums of some entries that follow each other, by product, in the order
// of ids. The last product may go on in the next part.
struct LedgerPart {
  std::vector<Amount> sums;
  std::vector<LostHolds> lost_holds;
  std::optional<LedgerPlace>
      next;  // the last entry that was read; nothing: it was the ledger's last

  friend bool operator==(const LedgerPart&, const LedgerPart&) = default;
};

// An open hold, with what the ledger says of its order.
struct OpenHold {
  LedgerPlace order;
  std::optional<domain::Quantity> quantity;     // nothing: it is no integer
  std::optional<domain::Timestamp> expires_at;  // nothing: it is no time
  std::optional<domain::LedgerEntry> entry;     // of the order, with outcome, quantity and terms
  std::string ending;                           // the outcome of an entry that ended it

  friend bool operator==(const OpenHold&, const OpenHold&) = default;
};

// Of all products; counted up to kHoldsCountedMax.
struct HoldCounts {
  std::size_t open = 0;
  std::size_t due = 0;                  // of them
  std::chrono::microseconds overdue{};  // for how long the oldest is

  friend bool operator==(const HoldCounts&, const HoldCounts&) = default;
};
inline constexpr std::size_t kHoldsCountedMax = 1'000'000;

// A place between a product's entries in the order of time; in one moment, of versions; in one
// version, what changed nothing comes after what made it. The default stands after all of them.
struct EntryPlace {
  std::optional<std::string> time = std::nullopt;  // as the adapter writes it
  std::int64_t version = 0;                        // -1: it has none
  bool is_change = false;
  std::string identity = {};

  friend bool operator==(const EntryPlace&, const EntryPlace&) = default;
};

// An entry of the ledger as its table has it, for people. Of texts no more is here than a request
// can have written; a longer one, entered by hand, is cut.
struct StoredEntry {
  std::string identity;
  std::string outcome = {};  // perhaps a word of a newer program
  std::optional<domain::Quantity> quantity = std::nullopt;
  std::optional<domain::Quantity> delta = std::nullopt;
  std::optional<domain::Quantity> quantity_after = std::nullopt;
  std::optional<std::string> reason = std::nullopt;
  std::optional<std::string> terms = std::nullopt;
  std::optional<domain::Timestamp> decided_at =
      std::nullopt;  // nothing: no time of the years 1 to 9999
  EntryPlace place = {};

  friend bool operator==(const StoredEntry&, const StoredEntry&) = default;
};

// In characters. An identity of the service's has at most 270.
inline constexpr std::int64_t kIdentityShown = 300;
inline constexpr std::int64_t kTextShown = 1'000;

// What is asked of an order: any of these ids (a person may not know whether 42 was sent as a
// number or as a string), and of its lines: any of these, or, if there are none, all.
struct OrderSearch {
  domain::ProductId product = 0;
  std::vector<domain::OrderId> ids;  // at least one
  std::vector<domain::OrderId> lines = {};
};

// Of an order so many lines are found for a product.
inline constexpr std::int64_t kLinesFoundMax = 1'000;

struct ItemSearch;  // item_search.h

class Reader {
 public:
  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  virtual ~Reader() = default;

  // Connects, unless an earlier connection was kept, and begins to see the database as it is now.
  virtual Result<void> begin() = 0;

  // Ends to see it: nothing stays open that holds up a database, but a connection that is idle may
  // be kept for the next begin().
  virtual void end() = 0;

  // The stock of at most `count` products whose ids come after `after`, in the order of ids.
  virtual Result<std::vector<Amount>> stock(domain::ProductId after, std::size_t count) = 0;

  // The items themselves, of the same products, but no more than have `bytes_max` bytes of
  // descriptions together, or else one.
  virtual Result<std::vector<StoredItem>> items(domain::ProductId after, std::size_t count,
                                                std::size_t bytes_max) = 0;

  // At most `count` items that are found, in their order, but no more than have `bytes_max` bytes
  // of descriptions together, or else one. All items are read for that, unless they are in the
  // order of ids and enough of them are found.
  virtual Result<std::vector<StoredItem>> find_items(const ItemSearch& search, std::size_t count,
                                                     std::size_t bytes_max) = 0;

  // The products of the ledger's first and last entry; nothing where it has none.
  virtual Result<std::optional<LedgerRange>> ledger_range() = 0;

  // Adds up the next `count` entries of the ledger.
  virtual Result<LedgerPart> ledger(const LedgerPlace& after, std::size_t count) = 0;

  // The next `count` open holds, in the order of their orders' keys.
  virtual Result<std::vector<OpenHold>> holds(const LedgerPlace& after, std::size_t count) = 0;

  // By the database's clock.
  virtual Result<HoldCounts> count_holds() = 0;

  // At most `count` entries of a product, the newest first: those before a place.
  // Errors: refused if the place is none of this adapter's.
  virtual Result<std::vector<StoredEntry>> entries(domain::ProductId product,
                                                   const EntryPlace& before, std::size_t count) = 0;

  // All entries of an order, the newest first.
  virtual Result<std::vector<StoredEntry>> entries_of_order(const OrderSearch& search) = 0;
};

}  // namespace inventory::store
