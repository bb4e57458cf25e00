#pragma once

// The command `verify`: checks that the ledger explains the stock and the holds.
//   For each product the sum of its ledger's deltas is its quantity.
//   Each open hold has a `held` entry of its order, and no entry that ended it.
//   Each `held` entry has an open hold, or an entry that ended it.
// Also checks that the tables of a partition have only products of that partition.

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "cli/command.h"
#include "domain/partition.h"
#include "store/reader.h"

namespace inventory::cli {

// A product whose ledger does not add up to its stock; without a stock, it has no row.
struct Disagreement {
  domain::ProductId product;
  std::optional<domain::Quantity> stock;
  domain::Quantity ledger;

  friend bool operator==(const Disagreement&, const Disagreement&) = default;
};

// A hold that the ledger does not explain, or a `held` entry without a hold or an end.
struct HoldFlaw {
  domain::ProductId product;
  std::string order;  // its identity in the ledger
  std::string what;

  friend bool operator==(const HoldFlaw&, const HoldFlaw&) = default;
};

struct Compared {
  std::size_t products = 0;  // that have a row or ledger entries
  std::size_t disagreements = 0;
  std::size_t holds = 0;  // open ones
  std::size_t flawed_holds = 0;
  std::size_t misplaced = 0;  // products of another partition
  double share = 0;           // of the ledger that was read, 0 to 1

  bool agrees() const { return disagreements == 0 && flawed_holds == 0 && misplaced == 0; }
};

// Called for each finding.
struct Reports {
  std::function<void(const Disagreement&)> of_stock;
  std::function<void(const HoldFlaw&)> of_hold;
  std::function<void(domain::ProductId, const domain::Partition& its_own)> of_misplaced;
};

// Compares all products and holds as of one moment, `page` of them at a time, in the order of ids.
// Calls `progress` after each part of the ledger. Without a partition no product is misplaced.
store::Result<Compared> compare(store::Reader& reader, std::size_t page,
                                const std::optional<domain::Partition>& partition,
                                const Reports& reports,
                                const std::function<void(const Compared&)>& progress);

Command verify_command();

}  // namespace inventory::cli
