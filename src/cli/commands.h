#pragma once

// The commands of the program, in the order of the help and the manual.

#include <vector>

#include "cli/command.h"

namespace inventory::cli {

std::vector<Command> commands();

}  // namespace inventory::cli
