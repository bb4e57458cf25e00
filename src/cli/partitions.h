#pragma once

// partitions: how commands find the partition that is meant, or do each of them.

#include <expected>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "config/partition.h"
#include "store/tables_owner.h"

namespace inventory::cli {

// `run` with what was read for it, for the partition of these products; of an undivided stock, for
// that. Without a product: for the partition that is meant, or else the first.
template <class Read>
Prepared prepared_for(std::expected<Read, std::string> read,
                      const config::Configuration& configuration,
                      std::vector<domain::ProductId> (*products_of)(const Read&),
                      int (*run)(const config::Configuration&, const Read&)) {
  if (!read) return std::unexpected(std::move(read.error()));
  auto mine = config::in_partition_of(configuration, products_of(*read));
  if (!mine) return std::unexpected(std::move(mine.error()));
  return [run, command = *std::move(read), mine = *std::move(mine)](const config::Configuration&) {
    return run(mine, command);
  };
}

// For each partition that is meant, one after the other, with a line on standard error that names
// it where there are several. Returns the worst exit status.
int for_each_partition(const config::Configuration& configuration,
                       const std::function<int(const config::Configuration&)>& run);

// Whose tables the database of a partition, or of an undivided stock, should have.
inline store::TablesOwner owner_of(const config::Configuration& configuration) {
  return {.partition = config::partition_of(configuration)};
}

}  // namespace inventory::cli
