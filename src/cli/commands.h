#pragma once

// The commands of the program, in the order in which help and manual show them.

#include <vector>

#include "cli/command.h"

namespace inventory::cli {

std::vector<Command> commands();

}  // namespace inventory::cli
