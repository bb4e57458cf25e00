#pragma once

// Tables: the committed rows of the simulated database.

#include <map>
#include <string>

#include "domain/books.h"

namespace inventory::simulation {

struct Tables {
  std::map<domain::ProductId, domain::Item> items;
  std::map<domain::ProductId, std::int64_t> versions;  // of changed items
  std::map<domain::LedgerKey, domain::LedgerEntry> ledger;
  std::map<domain::LedgerKey, domain::Hold> holds;     // open ones
  std::map<std::string, domain::ItemAnswer> requests;  // of items, by identity
  domain::ProductId last_id = 0;
};

}  // namespace inventory::simulation
