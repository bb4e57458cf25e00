#pragma once

// partition_text: why a request does not belong to a partition (docs/contract.md).

#include <algorithm>
#include <span>
#include <string>

#include <fmt/format.h>

#include "domain/partition.h"

namespace inventory::contract {

// Empty if all products are in it, or if there are none.
inline std::string why_not_in(const domain::Partition& partition,
                              std::span<const domain::ProductId> products) {
  if (std::ranges::all_of(products, [&](auto product) { return partition.holds(product); })) {
    return "";
  }
  const auto first = domain::partition_of(products.front(), partition.count);
  if (!std::ranges::all_of(products, [&](auto product) {
        return domain::partition_of(product, partition.count) == first;
      })) {
    return "its items lie in different partitions; hold and confirm them one by one";
  }
  return fmt::format("product {} is in partition {} of {}, this is {}", products.front(), first,
                     partition.count, partition.number);
}

}  // namespace inventory::contract
