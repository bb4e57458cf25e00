#pragma once

// partitions: runs commands for one partition, or for each of them.

#include <expected>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "config/partition.h"
#include "store/tables_owner.h"

namespace inventory::cli {

// Binds `run` to the options that were read for it and to the configuration of the partition of
// these products; without products, to that of the configured partition, or else the first. An
// undivided stock has one configuration.
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

// Calls `run` for each configured partition, one after the other; if there are several, prints a
// line to standard error that names it. Returns the worst exit status.
int for_each_partition(const config::Configuration& configuration,
                       const std::function<int(const config::Configuration&)>& run);

// The expected owner of the tables: a partition, or an undivided stock.
inline store::TablesOwner owner_of(const config::Configuration& configuration) {
  return {.partition = config::partition_of(configuration)};
}

}  // namespace inventory::cli
