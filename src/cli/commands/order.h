#pragma once

// The command `order`: places an order, as any client of the service does.

#include "cli/command.h"

namespace inventory::cli {

Command order_command();

}  // namespace inventory::cli
