#pragma once

// The command `migrate`.

#include "cli/command_line.h"
#include "config/configuration.h"

namespace inventory::cli {

// Brings the database's schema up to date, or only says what that would be. Returns the exit
// status: kExitDone; kExitNo of a dry run where something is in the way; kExitFailed with the
// reason logged.
int migrate(const config::Configuration& configuration, const MigrateCommand& command);

}  // namespace inventory::cli
