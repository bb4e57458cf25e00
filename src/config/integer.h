#pragma once

// integer: parses a whole number.

#include <cstdint>
#include <optional>
#include <string_view>

namespace inventory::config {

// Digits, perhaps after a minus, and nothing else.
std::optional<std::int64_t> parse_integer(std::string_view text);

}  // namespace inventory::config
