#pragma once

// Times as the tables hold them: UTC text with microseconds, '2026-11-23 03:00:00.123456'.
// It sorts by time, a person can read it, and it is what SQLAlchemy writes to SQLite.

#include <optional>
#include <string>
#include <string_view>

#include "domain/item.h"

namespace inventory::store::sqlite {

// `time` lies in the years 0000 to 9999.
std::string to_text(domain::Timestamp time);

// Nothing where the text has another form than to_text() gives.
std::optional<domain::Timestamp> to_timestamp(std::string_view text);

}  // namespace inventory::store::sqlite
