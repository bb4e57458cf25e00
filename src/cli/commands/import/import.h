#pragma once

// The command `import`: adds the items of a CSV file through the item queue.
//
// Invariants:
//   1. Nothing is sent before the whole file was read and checked.
//   2. A row's request bears an identity made of what is in the row (item_file.h): sent again, it
//      adds nothing. So the command may be interrupted at any point, and run again.
//   3. At most kWindow requests are without their replies.

#include "cli/command_line.h"

namespace inventory::cli {

// Returns the exit status: kExitDone; kExitNo if rows are bad, were skipped or were rejected;
// kExitFailed if the file cannot be read, or without broker or reply.
int import_items(const config::Configuration& configuration, const ImportCommand& command);

}  // namespace inventory::cli
