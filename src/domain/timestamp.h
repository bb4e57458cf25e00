#pragma once

// Timestamp: a point in time, in UTC. Microseconds: the resolution that tables and replies keep.

#include <chrono>

namespace inventory::domain {

using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

}  // namespace inventory::domain
