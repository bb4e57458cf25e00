#pragma once

// Tables: what is committed in the simulated database.

#include <map>
#include <string>

#include "domain/decide_orders.h"
#include "domain/item.h"

namespace inventory::simulation {

inline constexpr const char* kOpening = "opening";  // the identity of an item's first entry

struct Tables {
  struct Entry {
    domain::Verdict verdict;
    domain::Quantity quantity;
    domain::Quantity delta;
  };

  std::map<domain::ProductId, domain::Item> items;
  std::map<domain::LedgerKey, Entry> ledger;
  std::map<std::string, domain::Item> requests;  // of items, by identity
  domain::ProductId last_id = 0;
};

}  // namespace inventory::simulation
