#pragma once

// The command `serve`: the service itself (server/serve.h).

#include "cli/command.h"

namespace inventory::cli {

Command serve_command();

}  // namespace inventory::cli
