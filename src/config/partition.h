#pragma once

// What of a configuration is a partition's own: its queues, its schema, its database.

#include <cstdint>
#include <string_view>

#include "config/configuration.h"

namespace inventory::config {

// In a database's URL, it stands for the number of the partition.
inline constexpr std::string_view kPartitionPlaceholder = "{partition}";

// The configuration of one partition of the same count: the queues of requests end with its number
// ("order_validate.3"; queues for replies do not), the placeholder is its number, and the tables
// are in a schema of its own ("inventory_3").
Configuration in_partition(const Configuration& configuration, std::uint32_t number);

}  // namespace inventory::config
