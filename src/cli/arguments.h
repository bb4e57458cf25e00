#pragma once

// Arguments: what was given on the command line, split by CLI11, which writes the help as well.
//
// Values are taken from it as texts, so that each is checked and each error worded in one place;
// unexpected arguments are reported here too, since CLI11 would repeat them whole, and they may
// hold credentials.

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/App.hpp>

#include "cli/command.h"

namespace inventory::cli {

// What ends the program at once. Code 0: the text is what was asked for (help, version,
// configuration) and goes to standard output. Otherwise it says what is wrong, to standard error.
struct Exit {
  int code;
  std::string text;  // with its line end
};

// A wrong command line or setting, as the program ends with it.
Exit usage_error(std::string_view line);

class Arguments {
 public:
  explicit Arguments(std::vector<Command> commands);

  // Reads the arguments after the program's name. Nothing if they can be looked at below, or how
  // the program ends: help, version, or a wrong command line.
  std::optional<Exit> parse(const std::vector<std::string>& arguments);

  // Of the command that was chosen, or of the program.
  std::string help() const;

  bool print_config() const;

  // The command that was chosen; nullptr if none was, or only the group it is of.
  const Command* command() const;

  // Its name with that of its action ("dead-letters list"); empty if none was given.
  std::string command_name() const;

  // The text of an option that all commands take (--config, --prefetch), if it was given.
  std::optional<std::string> setting(const std::string& flag) const;

  // The text of an option of the command that was chosen, if it was given; of one that repeats, all
  // of them in their order.
  std::optional<std::string> option(const std::string& name) const;
  std::vector<std::string> repeated(const std::string& name) const;
  bool flag(const std::string& name) const;

 private:
  // From the program to the command that was chosen.
  std::vector<const CLI::App*> chosen() const;
  std::optional<std::string> check_arguments() const;
  bool may_repeat(const std::string& name) const;
  std::string describe_extra(std::string_view argument) const;

  std::vector<Command> commands_;
  CLI::App app_;
};

}  // namespace inventory::cli
