#pragma once

// The command `ledger`: prints what became of a product, or of an order, the newest first; beside a
// running service, too.

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
  // The product, 1 to 2^53 - 1; the ids, if it is about an order, and those of its lines.
  store::OrderSearch search;
  store::EntryPlace before = {};  // of a product's entries: only those
  std::size_t limit = 100;        // entries of a product
  bool json = false;
};

std::expected<LedgerOptions, std::string> read_ledger(const Arguments& given);

// As a person reads them at a terminal, which obeys nothing of what clients wrote. Without line
// end.
std::string ledger_head();
std::string ledger_line(const store::StoredEntry& entry);
std::string story_line(const server::OrderStory& story);

Command ledger_command();

}  // namespace inventory::cli
