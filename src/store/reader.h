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

#include <cstddef>
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
  domain::Quantity quantity = 0;
  std::optional<std::string> description;
  std::optional<domain::Timestamp> created_at;

  // There is a created_at which is no time of the years 1 to 9999: infinity, for example.
  bool has_odd_time = false;

  friend bool operator==(const StoredItem&, const StoredItem&) = default;
};

class Reader {
 public:
  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  virtual ~Reader() = default;

  // Connects, and begins to see the database as it is now.
  virtual Result<void> begin() = 0;

  // The stock of at most `count` products whose ids come after `after`, in the order of ids.
  virtual Result<std::vector<Amount>> stock(domain::ProductId after, std::size_t count) = 0;

  // The items themselves, of the same products.
  virtual Result<std::vector<StoredItem>> items(domain::ProductId after, std::size_t count) = 0;

  // The sums of the ledgers of all products with after < id <= last, in the order of ids, without
  // those that are 0.
  virtual Result<std::vector<Amount>> ledger_sums(domain::ProductId after,
                                                  domain::ProductId last) = 0;
};

}  // namespace inventory::store
