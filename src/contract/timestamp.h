#pragma once

// Points in time as written in replies and dead letters: ISO 8601 in UTC with microseconds, as
// Python's datetime.isoformat() does: 2026-11-23T03:00:00.123456+00:00

#include <optional>
#include <string>
#include <string_view>

#include "domain/item.h"

namespace inventory::contract {

std::string format_timestamp(domain::Timestamp time);

// Reads what format_timestamp() writes, and nothing else.
std::optional<domain::Timestamp> parse_timestamp(std::string_view text);

}  // namespace inventory::contract
