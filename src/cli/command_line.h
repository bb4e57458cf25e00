#pragma once

// Command line: the command to run, with the configuration in force.
//
//   inventory-service [settings] COMMAND [options]
// Settings may stand before or after the command.

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/command.h"
#include "config/configuration.h"

namespace inventory::cli {

struct Invocation {
  config::Configuration configuration;
  Run run;
};

// Reads the settings file if one is named, and checks that files named by settings can be read.
// Never throws; the error for a wrong command line or setting is one line.
std::expected<Invocation, Exit> parse_command_line(int argc, const char* const* argv,
                                                   std::vector<Command> commands,
                                                   const config::EnvironmentLookup& environment);

// The process's own environment.
std::optional<std::string> process_environment(const std::string& name);

}  // namespace inventory::cli
