#pragma once

// The command `migrate`: brings the database's schema up to date.

#include "cli/command.h"

namespace inventory::cli {

Command migrate_command();

}  // namespace inventory::cli
