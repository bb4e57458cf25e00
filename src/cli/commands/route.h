#pragma once

// The command `route`: passes requests to the queues of their partitions (server/route.h).

#include "cli/command.h"

namespace inventory::cli {

Command route_command();

}  // namespace inventory::cli
