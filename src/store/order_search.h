#pragma once

// How an OrderSearch finds its entries. Identities that it can name are looked up as keys. Lines
// that it does not name are found by skipping through the index: the orders of a product mostly use
// few line ids (1, 2, 3), and identities with the same line id are adjacent, so that one look-up
// for each line id learns them all. With more than kLineIdsTried line ids, all identities with a
// line that contain one of the order ids are read instead; other orders may match as well.

#include <algorithm>
#include <string>
#include <vector>

#include "domain/entry_name.h"
#include "store/reader.h"

namespace inventory::store {

inline constexpr int kLineIdsTried = 100;

// Identities with a line lie between these two.
inline constexpr const char* kLinesBegin = "l";
inline constexpr const char* kLinesEnd = "m";

// The identities that the search can name.
inline std::vector<std::string> named_identities(const OrderSearch& search) {
  std::vector<std::string> identities;
  for (const domain::OrderId& id : search.ids) {
    if (search.lines.empty()) identities.push_back(domain::order_identity(id, std::nullopt));
    for (const domain::OrderId& line : search.lines) {
      identities.push_back(domain::order_identity(id, line));
    }
  }
  return identities;
}

// Adds the searched orders with the line of this identity to `named`. Returns the identity after
// which the next line begins.
inline std::string skip_line(const OrderSearch& search, const std::string& identity,
                             std::vector<std::string>& named) {
  const auto name = domain::read_order_identity(identity);
  if (!name || !name->line) return identity;  // entered by hand
  const std::size_t size = identity.size() - name->id.ledger_identity().size();
  if ((static_cast<unsigned char>(identity[size]) & 0xC0U) == 0x80U) return identity;  // by hand
  const std::string line = identity.substr(0, size);
  for (const domain::OrderId& id : search.ids) named.push_back(line + id.ledger_identity());
  return std::max(identity, line + 't');  // after i and s
}

inline std::vector<StoredEntry> only_of(const OrderSearch& search,
                                        std::vector<StoredEntry> entries) {
  std::erase_if(entries, [&](const StoredEntry& entry) {
    const auto name = domain::read_entry_name(entry.identity, std::nullopt);
    return !name.id || std::ranges::find(search.ids, *name.id) == search.ids.end();
  });
  return entries;
}

}  // namespace inventory::store
