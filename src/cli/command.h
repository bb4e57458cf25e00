#pragma once

// Command: one command of the program, with all that is known of it. Each is made by a function of
// its file in commands/, and stands in the list of commands.cpp; the command line, its help, the
// manual page and the completion of names are made of that.
//
// A new one is a file such as commands/stock.cpp, its line in commands.cpp, and its tests.

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
  std::string placeholder;  // of its value, "N"; empty: it takes none
  std::string help;         // a line or more, without a full stop
  bool repeats = false;     // may be given several times
};

// A command that was understood: does it, and returns the exit status.
using Run = std::function<int(const config::Configuration&)>;

// The error is a line for the person at the command line, without the names of program and command.
using Prepared = std::expected<Run, std::string>;

struct Command {
  std::string name;         // "stock"
  std::string summary;      // one line, without a full stop
  std::string description;  // more of it, examples, exit codes: paragraphs
  std::vector<Option> options = {};

  // Reads what was given, without doing anything; nullptr: one of its actions has to be named.
  Prepared (*prepare)(const Arguments& given, const config::Configuration& configuration) = nullptr;

  std::vector<Command> actions = {};  // "dead-letters list"
};

// `run` with what was read for it.
template <class Read>
Prepared prepared(std::expected<Read, std::string> read,
                  int (*run)(const config::Configuration&, const Read&)) {
  if (!read) return std::unexpected(std::move(read.error()));
  return [run, command = *std::move(read)](const config::Configuration& configuration) {
    return run(configuration, command);
  };
}

}  // namespace inventory::cli
