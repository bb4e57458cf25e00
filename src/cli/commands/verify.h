#pragma once

// The command `verify`: whether the ledger explains the stock: for each product the sum of its
// ledger's deltas is its quantity.

#include <cstddef>
#include <functional>
#include <optional>

#include "cli/command.h"
#include "store/reader.h"

namespace inventory::cli {

// A product whose ledger does not add up to its stock. No stock: the product is not there.
struct Disagreement {
  domain::ProductId product;
  std::optional<domain::Quantity> stock;
  domain::Quantity ledger;

  friend bool operator==(const Disagreement&, const Disagreement&) = default;
};

struct Compared {
  std::size_t products = 0;  // that are there, or that something was taken from
  std::size_t disagreements = 0;
};

// Compares all products as they are at one moment, `page` of them at a time, in the order of ids.
// `report` is called for each that disagrees, `progress` after each page.
store::Result<Compared> compare(store::Reader& reader, std::size_t page,
                                const std::function<void(const Disagreement&)>& report,
                                const std::function<void(const Compared&)>& progress);

Command verify_command();

}  // namespace inventory::cli
