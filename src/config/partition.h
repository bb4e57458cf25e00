#pragma once

// The configuration of a partition: its queues, its schema, its database.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/configuration.h"
#include "domain/partition.h"

namespace inventory::config {

// Stands for the number of the partition in a database URL.
inline constexpr std::string_view kPartitionPlaceholder = "{partition}";

// The configuration of one partition: request queues end with its number ("order_validate.3"; reply
// queues do not), its number replaces the placeholder, and the tables are in a schema of its own
// ("inventory_3").
Configuration in_partition(const Configuration& configuration, std::uint32_t number);

// The partition of a configuration; empty if it is for an undivided stock or for all partitions.
std::optional<domain::Partition> partition_of(const Configuration& configuration);

// The request queues of all configured partitions, or of an undivided stock.
std::vector<std::string> request_queues(const Configuration& configuration);

// The configuration of each configured partition; for an undivided stock, only the given one.
std::vector<Configuration> in_each_partition(const Configuration& configuration);

// The configuration of the partition that these products are in; for an undivided stock, the given
// one. Without products: that of the configured partition, or else of the first.
// The error, for people, says that they are in several partitions, or not in the configured one.
std::expected<Configuration, std::string> in_partition_of(
    const Configuration& configuration, const std::vector<domain::ProductId>& products);

}  // namespace inventory::config
