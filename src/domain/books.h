#pragma once

// Books: what a batch of requests may look at and change: pure, no I/O, the same for every store.
//
// A store asks each request what it needs (Needs), locks and reads that, and tells the books what
// it has found; then the requests are decided one after the other, each seeing what those before it
// left; then the store writes the Changes, in the same transaction.
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

// Needs: what of the tables a batch looks at, and all that it may write.
struct Needs {
  std::vector<ProductId> products;         // to lock, in this order
  std::vector<LedgerKey> entries;          // to read
  std::vector<std::string> item_requests;  // identities
  std::size_t fresh_ids = 0;               // ids that no item has, at least so many
  ProductId ids_beyond = 0;                // they are larger than this
  bool now = false;                        // the time, by the database's clock

  // The entries that tell what became of an order's item (hold.h).
  void add_order_entries(ProductId product, const std::string& identity);

  bool adds_items() const { return fresh_ids > 0 || ids_beyond > 0 || !item_requests.empty(); }

  // Each once, in the order of keys, which is the order in which locks are taken: two instances
  // that work in it cannot deadlock. To be called before the books are made.
  void sort();
};

// Changes: what is to be written. All lists are sorted by key.
struct Changes {
  std::vector<std::pair<ProductId, Stock>> stock;  // of items that were there
  std::vector<LedgerEntry> entries;
  std::vector<AddedItem> items;
  std::vector<ItemAnswer> item_requests;
  std::vector<Hold> opened;       // holds
  std::vector<LedgerKey> closed;  // holds that were open before

  bool empty() const { return entries.empty() && item_requests.empty(); }
};

class Books {
 public:
  // Sorted needs, which outlive the books.
  explicit Books(const Needs& needs);

  // What the store has found. `at` is a place in needs.entries; the entry's key is not looked at.
  void found(ProductId product, Stock stock);
  void found(std::size_t at, LedgerEntry entry);
  void found(ItemAnswer answer);
  void found_now(Timestamp now) { now_ = now; }
  void found_fresh(std::vector<ProductId> ids) { fresh_ids_ = std::move(ids); }

  // Nothing where there is none. What is asked for was named by the needs.
  const Stock* stock(ProductId product) const;
  const LedgerEntry* entry(ProductId product, std::string_view identity) const;
  const ItemAnswer* item_request(std::string_view identity) const;

  // Keeps a decision, changes the stock by its delta, and fills in what was left.
  const LedgerEntry& post(LedgerEntry entry);

  // The time of the transaction, by the database's clock. Named by the needs.
  Timestamp now() const;

  // A hold begins, with its order's entry, or ends, with the entry that ends it.
  void open_hold(Hold hold);
  void close_hold(const LedgerKey& key);

  // What was read cannot be of one moment, unless a row was deleted: an order was accepted whose
  // product is not there. A store whose reads see several moments reads and decides again.
  void set_torn() { is_torn_ = true; }
  bool is_torn() const { return is_torn_; }

  // An id that no item has.
  ProductId fresh_id();

  // Adds an item, with its opening entry. Of a chosen id, product and opening entry are named by
  // the needs.
  void add(AddedItem added);
  void keep(ItemAnswer answer);

  // What was done so far. The books are used up.
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

  // Their places; the end where it was not named.
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
