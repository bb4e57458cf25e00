#pragma once

// The command `verify`: whether the ledger explains the stock, and the holds.
//   For each product the sum of its ledger's deltas is its quantity.
//   Each open hold has the entry of its order, `held`, and none that ended it.
//   Each entry `held` has an open hold, or an entry that ended it.
// And whether the tables of a partition have products of that partition only.

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "cli/command.h"
#include "domain/partition.h"
#include "store/reader.h"

namespace inventory::cli {

// A product whose ledger does not add up to its stock. No stock: the product is not there.
struct Disagreement {
  domain::ProductId product;
  std::optional<domain::Quantity> stock;
  domain::Quantity ledger;

  friend bool operator==(const Disagreement&, const Disagreement&) = default;
};

// A hold that the ledger does not explain; or, of an order that held, that nothing became of it.
struct HoldFlaw {
  domain::ProductId product;
  std::string order;  // its identity in the ledger
  std::string what;

  friend bool operator==(const HoldFlaw&, const HoldFlaw&) = default;
};

struct Compared {
  std::size_t products = 0;  // that are there, or that something was taken from
  std::size_t disagreements = 0;
  std::size_t holds = 0;  // that are open
  std::size_t flawed_holds = 0;
  std::size_t misplaced = 0;  // products of another partition
  double share = 0;           // of the ledger that was read, of 1

  bool agrees() const { return disagreements == 0 && flawed_holds == 0 && misplaced == 0; }
};

// Who is told of each one.
struct Reports {
  std::function<void(const Disagreement&)> of_stock;
  std::function<void(const HoldFlaw&)> of_hold;
  std::function<void(domain::ProductId, const domain::Partition& its_own)> of_misplaced;
};

// Compares all products and holds as they are at one moment, `page` of them at a time, in the order
// of ids. `progress` is called after each part of the ledger. Without a partition every product may
// be there.
store::Result<Compared> compare(store::Reader& reader, std::size_t page,
                                const std::optional<domain::Partition>& partition,
                                const Reports& reports,
                                const std::function<void(const Compared&)>& progress);

Command verify_command();

}  // namespace inventory::cli
