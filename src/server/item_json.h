#pragma once

// Items as `stock` and GET /items write them.

#include <string>

#include "store/reader.h"

namespace inventory::server {

// {"id":7,"quantity":10,"description":"Blue T-shirt",
// "created_at":"2026-11-23T03:00:00.123456+00:00","held":2,"low_stock":5}
// Members that the table lacks, or whose value JSON cannot represent, are null: see unreadable().
std::string item_json(const store::StoredItem& item);

// For a log: which members of an item are shown as null although the table has a value, "item 7:
// created_at is no time of the years 1 to 9999". Empty if there are none.
std::string unreadable(const store::StoredItem& item);

}  // namespace inventory::server
