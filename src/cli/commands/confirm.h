#pragma once

// The command `confirm`: makes the hold of an order final, as any client of the service does.

#include "cli/command.h"

namespace inventory::cli {

Command confirm_command();

}  // namespace inventory::cli
