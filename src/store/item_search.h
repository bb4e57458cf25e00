#pragma once

// How items are looked for, and in which order they are found.

#include <cstdint>
#include <limits>
#include <string>

#include "domain/item.h"
#include "store/reader.h"

namespace inventory::store {

enum class ItemOrder : std::uint8_t {
  id,
  quantity,  // the least first; then by id
  scarcity,  // what is sold out, then what is low, then the rest; each of them by id
};

// A place in an order, behind an item. The default stands before all of them.
struct ItemPlace {
  std::int64_t rank = std::numeric_limits<std::int64_t>::min();
  domain::ProductId id = std::numeric_limits<domain::ProductId>::min();

  friend bool operator==(const ItemPlace&, const ItemPlace&) = default;
};

struct ItemSearch {
  // In the description, in capital or small letters (beyond ASCII as far as the database knows
  // them): UTF-8 without NUL. Empty: all items are found.
  std::string text = {};
  ItemOrder order = ItemOrder::id;
  ItemPlace after = {};
};

// A quantity that cannot be read comes first: somebody has to look at it.
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

// A text as a pattern of LIKE that it is part of, with a backslash to escape; empty for all.
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
