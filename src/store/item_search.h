#pragma once

// How items are searched for, and in which order they are returned.

#include <cstdint>
#include <limits>
#include <string>

#include "domain/item.h"
#include "store/reader.h"

namespace inventory::store {

enum class ItemOrder : std::uint8_t {
  id,
  quantity,  // lowest first; then by id
  scarcity,  // sold out, then low, then the rest; by id within each
};

// A position in an order, just after an item. The default is before all items.
struct ItemPlace {
  std::int64_t rank = std::numeric_limits<std::int64_t>::min();
  domain::ProductId id = std::numeric_limits<domain::ProductId>::min();

  friend bool operator==(const ItemPlace&, const ItemPlace&) = default;
};

struct ItemSearch {
  // Text to find in the description, regardless of case (beyond ASCII if the database can do that):
  // UTF-8 without NUL. Empty: finds all items.
  std::string text = {};
  ItemOrder order = ItemOrder::id;
  ItemPlace after = {};
};

// An unreadable quantity comes first: somebody has to look at it.
inline ItemPlace place_of(const StoredItem& item, ItemOrder order) {
  const std::int64_t quantity =
      item.quantity.value_or(std::numeric_limits<domain::Quantity>::min());
  switch (order) {
    case ItemOrder::id:
      return {0, item.id};
    case ItemOrder::quantity:
      return {quantity, item.id};
    case ItemOrder::scarcity:
      break;
  }
  const bool is_low = item.low_stock && quantity <= *item.low_stock;
  return {quantity <= 0 ? 0 : is_low ? 1 : 2, item.id};
}

// A LIKE pattern that matches whatever contains the text, with backslash as escape; empty for all.
inline std::string like_pattern(const std::string& text) {
  if (text.empty()) return "";
  std::string pattern = "%";
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern += '%';
}

}  // namespace inventory::store
