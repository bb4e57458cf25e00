#pragma once

// Times as stored in the tables: UTC text with microseconds, '2026-11-23 03:00:00.123456'.
// It sorts by time, is readable, and is what SQLAlchemy writes to SQLite.

#include <optional>
#include <string>
#include <string_view>

#include "domain/item.h"

namespace inventory::store::sqlite {

// `time` must be in the years 0000 to 9999.
std::string to_text(domain::Timestamp time);

// Empty if the text does not have to_text()'s format.
std::optional<domain::Timestamp> to_timestamp(std::string_view text);

}  // namespace inventory::store::sqlite
