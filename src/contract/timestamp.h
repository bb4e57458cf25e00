#pragma once

// Points in time as replies and dead letters write them: ISO 8601 in UTC, six digits of a second,
// as Python's datetime.isoformat() does: 2026-11-23T03:00:00.123456+00:00

#include <string>

#include "domain/item.h"

namespace inventory::contract {

std::string format_timestamp(domain::Timestamp time);

}  // namespace inventory::contract
