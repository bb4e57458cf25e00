#pragma once

// The options of `dead-letters` as its command.

#include <expected>
#include <string>

#include "cli/arguments.h"
#include "cli/command_line.h"

namespace inventory::cli {

// The error is a line for the person at the command line.
std::expected<DeadLettersCommand, std::string> read_dead_letters(
    const Arguments& arguments, const config::Configuration& configuration);

}  // namespace inventory::cli
