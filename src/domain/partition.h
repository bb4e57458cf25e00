#pragma once

// Partition: a share of the products, with queues and tables of its own (docs/scale.md).
//
// A product lies in the partition `product id mod count`, so the count is chosen once.

#include <cstdint>

#include "domain/ledger.h"

namespace inventory::domain {

inline constexpr std::uint32_t kPartitionsMax = 1024;

// From 0 to count - 1 for any id, even a negative one, which no item has.
constexpr std::uint32_t partition_of(ProductId product, std::uint32_t count) {
  const auto divisor = static_cast<std::int64_t>(count);
  return static_cast<std::uint32_t>((product % divisor + divisor) % divisor);
}

struct Partition {
  std::uint32_t number = 0;  // below count
  std::uint32_t count = 1;   // 1 to kPartitionsMax

  constexpr bool holds(ProductId product) const { return partition_of(product, count) == number; }

  friend bool operator==(const Partition&, const Partition&) = default;
};

}  // namespace inventory::domain
