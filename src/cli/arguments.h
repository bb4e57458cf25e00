#pragma once

// Arguments: the command line, parsed by CLI11, which also writes the help.
//
// Values are taken from CLI11 as texts, so that each check and each error text is in one place.
// Unexpected arguments are reported here, because CLI11 would repeat them in full and they may
// contain credentials.

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/App.hpp>

#include "cli/command.h"

namespace inventory::cli {

// Ends the program at once. Code 0: the text is the help, version or configuration that was asked
// for, and goes to standard output. Otherwise it says what is wrong, and goes to standard error.
struct Exit {
  int code;
  std::string text;  // with a newline at the end
};

// The exit for a wrong command line or setting.
Exit usage_error(std::string_view line);

class Arguments {
 public:
  explicit Arguments(std::vector<Command> commands);

  // Parses the arguments after the program's name. Returns an exit for help, version or a wrong
  // command line; otherwise the functions below may be called.
  std::optional<Exit> parse(const std::vector<std::string>& arguments);

  // The help of the chosen command, or else of the program.
  std::string help() const;

  bool print_config() const;

  // The chosen command; nullptr if there is none, or only a group ("dead-letters").
  const Command* command() const;

  // Its name with that of its action ("dead-letters list"); empty if there is none.
  std::string command_name() const;

  // The text of an option that all commands take (--config, --prefetch), if it was given.
  std::optional<std::string> setting(const std::string& flag) const;

  // The text of an option of the chosen command, if it was given; if the option repeats, all texts
  // in order.
  std::optional<std::string> option(const std::string& name) const;
  std::vector<std::string> repeated(const std::string& name) const;
  bool flag(const std::string& name) const;

 private:
  // The path from the program to the chosen command.
  std::vector<const CLI::App*> chosen() const;
  std::optional<std::string> check_arguments() const;
  bool may_repeat(const std::string& name) const;
  std::string describe_extra(std::string_view argument) const;

  std::vector<Command> commands_;
  CLI::App app_;
};

}  // namespace inventory::cli
