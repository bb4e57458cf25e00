#pragma once

// The command `ledger`: prints the entries of a product or an order, the newest first; also while
// the service runs.

#include <cstddef>
#include <expected>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/command.h"
#include "server/ledger_json.h"
#include "store/reader.h"

namespace inventory::cli {

struct LedgerOptions {
  // The product, 1 to 2^53 - 1; for an order also its ids, and those of its lines.
  store::OrderSearch search;
  store::EntryPlace before = {};  // of a product: only entries before this place
  std::size_t limit = 100;        // entries of a product
  bool json = false;
};

std::expected<LedgerOptions, std::string> read_ledger(const Arguments& given);

// For a terminal: control characters that clients sent are escaped. Without a newline.
std::string ledger_head();
std::string ledger_line(const store::StoredEntry& entry);
std::string story_line(const server::OrderStory& story);

Command ledger_command();

}  // namespace inventory::cli
