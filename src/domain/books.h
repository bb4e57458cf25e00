#pragma once

// Books: the rows that a batch of requests may read and change. Pure: no I/O, the same for every
// store.
//
// A store asks each request what it needs (Needs), locks and reads that, and tells the books what
// it has found; then the requests are decided one after the other, each seeing the changes of those
// before it; then the store writes the Changes, in the same transaction.
//
// Invariants, whatever is decided:
//   1. Stock never goes below zero, nor beyond kQuantityMax.
//   2. An identity gets one entry, ever.
//   3. The stock of a product changes by exactly the sum of the deltas of its new entries.
// A decision that would break one is a bug: it aborts, in release builds too.

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/hold.h"
#include "domain/item.h"
#include "domain/ledger.h"

namespace inventory::domain {

// Needs: the rows that a batch reads, and all that it may write.
struct Needs {
  std::vector<ProductId> products;         // to lock, in this order
  std::vector<LedgerKey> entries;          // to read
  std::vector<std::string> item_requests;  // identities
  std::size_t fresh_ids = 0;               // unused item ids, at least so many
  ProductId ids_beyond = 0;                // the unused ids are larger than this
  bool now = false;                        // reads the database's clock

  // The entries that tell what became of an order's item (hold.h).
  void add_order_entries(ProductId product, const std::string& identity);

  bool adds_items() const { return fresh_ids > 0 || ids_beyond > 0 || !item_requests.empty(); }

  // Sorts each list by key and removes duplicates. Locks are taken in this order, so that two
  // instances cannot deadlock. To be called before the books are made.
  void sort();
};

// Changes: what is to be written. All lists are sorted by key.
struct Changes {
  std::vector<std::pair<ProductId, Stock>> stock;  // of items that existed before
  std::vector<LedgerEntry> entries;
  std::vector<AddedItem> items;
  std::vector<ItemAnswer> item_requests;
  std::vector<Hold> opened;       // holds
  std::vector<LedgerKey> closed;  // holds that were open before

  bool empty() const { return entries.empty() && item_requests.empty(); }
};

class Books {
 public:
  // The needs are sorted and outlive the books.
  explicit Books(const Needs& needs);

  // What the store has found. `at` is an index into needs.entries; the entry's key is ignored.
  void found(ProductId product, Stock stock);
  void found(std::size_t at, LedgerEntry entry);
  void found(ItemAnswer answer);
  void found_now(Timestamp now) { now_ = now; }
  void found_fresh(std::vector<ProductId> ids) { fresh_ids_ = std::move(ids); }

  // Null if there is none. The needs must name the key.
  const Stock* stock(ProductId product) const;
  const LedgerEntry* entry(ProductId product, std::string_view identity) const;
  const ItemAnswer* item_request(std::string_view identity) const;

  // Adds an entry, changes the stock by its delta, and fills in quantity_after and version.
  const LedgerEntry& post(LedgerEntry entry);

  // The time of the transaction, by the database's clock. The needs must ask for it.
  Timestamp now() const;

  // Opens a hold, along with its order's entry, or closes it, along with the entry that ends it.
  void open_hold(Hold hold);
  void close_hold(const LedgerKey& key);

  // The reads disagree: an order was accepted, but its product does not exist. Unless a row was
  // deleted, they saw different snapshots; a store whose reads may do so reads and decides again.
  void set_torn() { is_torn_ = true; }
  bool is_torn() const { return is_torn_; }

  // An unused item id.
  ProductId fresh_id();

  // Adds an item, with its opening entry. If its id was chosen, the needs must name the product and
  // the opening entry.
  void add(AddedItem added);
  void keep(ItemAnswer answer);

  // Returns the changes. The books must not be used afterwards.
  Changes take_changes();

 private:
  struct StockSlot {
    std::optional<Stock> stock = std::nullopt;
    bool is_changed = false;
    bool is_new = false;
  };
  struct EntrySlot {
    std::optional<LedgerEntry> entry = std::nullopt;
    bool is_new = false;
  };
  struct AnswerSlot {
    std::optional<ItemAnswer> answer = std::nullopt;
    bool is_new = false;
  };

  // The index of a key; the size of the list if the needs do not name it.
  std::size_t place_of(ProductId product) const;
  std::size_t place_of(ProductId product, std::string_view identity) const;
  std::size_t place_of(std::string_view identity) const;

  const Needs& needs_;
  std::vector<StockSlot> stock_;     // one for each of needs_.products
  std::vector<EntrySlot> entries_;   // one for each of needs_.entries
  std::vector<AnswerSlot> answers_;  // one for each of needs_.item_requests
  std::vector<ProductId> fresh_ids_;
  std::size_t fresh_ids_used_ = 0;
  bool is_torn_ = false;
  std::vector<AddedItem> added_;
  std::optional<Timestamp> now_;
  std::map<LedgerKey, Hold> opened_;  // by this batch
  std::set<LedgerKey> closed_;        // of those that were open before
};

}  // namespace inventory::domain
