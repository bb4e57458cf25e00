#pragma once

// integer: a whole number that people write.

#include <cstdint>
#include <optional>
#include <string_view>

namespace inventory::config {

// Digits, perhaps with a minus before them, and nothing else.
std::optional<std::int64_t> parse_integer(std::string_view text);

}  // namespace inventory::config
