#pragma once

// Items as `stock` and GET /items write them.

#include <string>

#include "store/reader.h"

namespace inventory::server {

// {"id":7,"quantity":10,"description":"Blue T-shirt",
// "created_at":"2026-11-23T03:00:00.123456+00:00","held":2,"low_stock":5}
// Members that the table lacks are null, and those that hold what no JSON can: see unreadable().
std::string item_json(const store::StoredItem& item);

// What of an item is shown as null though the table has something, for a log: "item 7: created_at
// is no time of the years 1 to 9999"; empty: nothing.
std::string unreadable(const store::StoredItem& item);

}  // namespace inventory::server
