#pragma once

// The command `stock`: prints items and what is left of them, as the database has them at one
// moment; beside a running service, too.

#include "cli/command_line.h"

namespace inventory::cli {

// Returns the exit status: kExitDone; kExitNo if there is no such product; kExitFailed without
// database.
int stock(const config::Configuration& configuration, const StockCommand& command);

}  // namespace inventory::cli
