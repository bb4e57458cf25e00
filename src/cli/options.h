#pragma once

// Options: reads the texts of a command's options as values. Errors are a line for the user,
// without the program's name.

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "cli/arguments.h"
#include "domain/order.h"

namespace inventory::cli {

using Wrong = std::unexpected<std::string>;

// An option that must be given; `flag` is its name in the error.
std::expected<std::int64_t, std::string> read_integer(const std::string& flag,
                                                      const std::optional<std::string>& text,
                                                      std::int64_t min, std::int64_t max);

// An option that may be left out.
std::expected<std::optional<std::int64_t>, std::string> read_optional_integer(
    const Arguments& given, const std::string& flag, std::int64_t min, std::int64_t max);

// 90s, 5m, 2h or 7d; up to ten years.
std::expected<std::chrono::seconds, std::string> read_duration(const std::string& flag,
                                                               std::string_view text);

// An order id as a user types it: an integer within +-(2^53 - 1), if it is written as one (42, -7;
// not 007), or else a string. Empty if it can be neither: empty, over 128 bytes, not UTF-8.
std::optional<domain::OrderId> parse_order_id(std::string_view text);

// The id that an option gives; read_id_or_new(): a new UUID if it is not given.
std::expected<domain::OrderId, std::string> read_id(const std::string& flag,
                                                    const std::string& text);
std::expected<domain::OrderId, std::string> read_id_or_new(const Arguments& given,
                                                           const std::string& flag);

}  // namespace inventory::cli
