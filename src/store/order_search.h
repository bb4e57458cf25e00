#pragma once

// How an OrderSearch looks for its entries. Identities that it can name are keys. Lines that it
// does not name are found by skipping: the lines of a product's orders mostly have few different
// ids (1, 2, 3), and identities with one line id lie together, so that it takes a look for each of
// those to learn them all. If there are more than kLineIdsTried, all identities with a line are
// looked through instead, for those that hold one of the ids; others may do so as well.

#include <algorithm>
#include <string>
#include <vector>

#include "domain/entry_name.h"
#include "store/reader.h"

namespace inventory::store {

inline constexpr int kLineIdsTried = 100;

// Identities with a line are those from here on, up to kLinesEnd.
inline constexpr const char* kLinesBegin = "l";
inline constexpr const char* kLinesEnd = "m";

// Identities of the orders that can be named.
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

// Names the orders of the search that have the line of this identity, and returns after which
// identity the next line begins.
inline std::string skip_line(const OrderSearch& search, const std::string& identity,
                             std::vector<std::string>& named) {
  const auto name = domain::read_order_identity(identity);
  if (!name || !name->line) return identity;  // it was entered by hand
  const std::size_t size = identity.size() - name->id.ledger_identity().size();
  if ((static_cast<unsigned char>(identity[size]) & 0xC0U) == 0x80U) return identity;  // likewise
  const std::string line = identity.substr(0, size);
  for (const domain::OrderId& id : search.ids) named.push_back(line + id.ledger_identity());
  return std::max(identity, line + 't');  // behind i and s
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
