#pragma once

// What of a configuration is a partition's own: its queues, its schema, its database.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/configuration.h"
#include "domain/partition.h"

namespace inventory::config {

// In a database's URL, it stands for the number of the partition.
inline constexpr std::string_view kPartitionPlaceholder = "{partition}";

// The configuration of one partition of the same count: the queues of requests end with its number
// ("order_validate.3"; queues for replies do not), the placeholder is its number, and the tables
// are in a schema of its own ("inventory_3").
Configuration in_partition(const Configuration& configuration, std::uint32_t number);

// The partition that a configuration is of; nothing of an undivided stock, and of all partitions.
std::optional<domain::Partition> partition_of(const Configuration& configuration);

// The request queues of all partitions that are meant, or of an undivided stock.
std::vector<std::string> request_queues(const Configuration& configuration);

// The configuration of each partition that is meant; of an undivided stock that one alone.
std::vector<Configuration> in_each_partition(const Configuration& configuration);

// The configuration of the partition that these products are in; of an undivided stock that one.
// Without products: that of the partition that is meant, or else of the first.
// The error, for people, says that they are in several, or in another than is meant.
std::expected<Configuration, std::string> in_partition_of(
    const Configuration& configuration, const std::vector<domain::ProductId>& products);

}  // namespace inventory::config
