#pragma once

// Command: describes one command of the program. A function in the command's file in commands/
// returns it, and commands.cpp lists them all; the command line, the help, the manual page and the
// completion of names are made from that list.
//
// A new command needs a file such as commands/stock.cpp, a line in commands.cpp, and tests.

#include <expected>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "config/configuration.h"

namespace inventory::cli {

class Arguments;

struct Option {
  std::string name;         // "--quantity"; an argument without a name: "file"
  std::string placeholder;  // of its value, "N"; empty: it takes no value
  std::string help;         // a line or more, without a full stop
  bool repeats = false;     // may be given several times
};

// Runs the command as its options say, and returns the exit status.
using Run = std::function<int(const config::Configuration&)>;

// The error is a line for the user, without the names of program and command.
using Prepared = std::expected<Run, std::string>;

struct Command {
  std::string name;         // "stock"
  std::string summary;      // one line, without a full stop
  std::string description;  // paragraphs: details, examples, exit codes
  std::vector<Option> options = {};

  // Reads the options, and does nothing yet; nullptr if the command needs one of its actions.
  Prepared (*prepare)(const Arguments& given, const config::Configuration& configuration) = nullptr;

  std::vector<Command> actions = {};  // "dead-letters list"
};

// Binds `run` to the options that were read for it.
template <class Read>
Prepared prepared(std::expected<Read, std::string> read,
                  int (*run)(const config::Configuration&, const Read&)) {
  if (!read) return std::unexpected(std::move(read.error()));
  return [run, command = *std::move(read)](const config::Configuration& configuration) {
    return run(configuration, command);
  };
}

}  // namespace inventory::cli
