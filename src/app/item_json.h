#pragma once

// Items as `stock` and GET /items write them.

#include <string>

#include "store/reader.h"

namespace inventory::app {

// {"id":7,"quantity":10,"description":"Blue
// T-shirt","created_at":"2026-11-23T03:00:00.123456+00:00"} Members that the table lacks are null.
std::string item_json(const store::StoredItem& item);

}  // namespace inventory::app
