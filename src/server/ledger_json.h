#pragma once

// Ledger entries as `ledger`, GET /items/7/ledger and GET /orders/A-17 write them.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/entry_name.h"
#include "store/reader.h"

namespace inventory::server {

// {"kind":"order","id":"A-17","line_id":null,"outcome":"accepted","quantity":2,"delta":-2,"left":8,
// "reason":null,"time":"2026-11-23T03:00:00.123456+00:00"}
// An order with a hold also has "hold_seconds" and "held_until"; an adjustment has "change" or
// "set_to", and "expected" if the request had it. Values that the table lacks, or that JSON cannot
// represent, are null.
std::string entry_json(const store::StoredEntry& entry);

// 42, "A-17", or null.
std::string id_json(const std::optional<domain::OrderId>& id);

// The name of an entry: what it is for.
domain::EntryName name_of(const store::StoredEntry& entry);

// The place where a page ended, as a text of letters and digits that asks for the next page; and
// back, empty if the text is not such a place.
std::string place_text(const store::EntryPlace& place);
std::optional<store::EntryPlace> read_place(std::string_view text);

// The ids that a text may mean: a number, if it is written as one (42, -7; not 007), and a string.
// Empty if no order can have such an id.
std::vector<domain::OrderId> possible_ids(std::string_view text);

// The history of an order line, or of an order without lines.
struct OrderStory {
  domain::OrderName name;
  std::string state;  // accepted, held, confirmed, cancelled, expired or rejected
  domain::Quantity held = 0;
  std::optional<domain::Timestamp> held_until = std::nullopt;  // while it is held
  std::vector<store::StoredEntry> entries = {};                // the newest first
};

// Sorted by their newest entries. `entries` are those of orders, the newest first.
std::vector<OrderStory> stories_of(std::vector<store::StoredEntry> entries);

// {"order_id":"A-17","line_id":null,"state":"held","held":2,"held_until":"...","entries":[...]}
std::string story_json(const OrderStory& story);

}  // namespace inventory::server
