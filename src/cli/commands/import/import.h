#pragma once

// The command `import`: sends the requests of a CSV file: items to add, or adjustments of stock.
//
// Invariants:
//   1. Nothing is sent before the whole file was read and checked.
//   2. A row's request has an identity made from the row (request_file.h): sent again, it changes
//      nothing. So the command may be interrupted at any point, and run again.
//   3. At most kWindow requests are waiting for their replies.

#include <chrono>
#include <expected>
#include <string>

#include "cli/arguments.h"
#include "cli/command.h"

namespace inventory::cli {

struct ImportOptions {
  std::string path;  // "-": standard input
  std::string name;  // of the file; part of each row's identity
  bool skip_bad = false;
  bool dry_run = false;
  std::chrono::seconds timeout;  // between two replies, 1 s to 1 h
};

std::expected<ImportOptions, std::string> read_import(const Arguments& given);

Command import_command();

}  // namespace inventory::cli
