#pragma once

// The command `cancel`: gives back what an order took, as any client of the service does.

#include "cli/command.h"

namespace inventory::cli {

Command cancel_command();

}  // namespace inventory::cli
