#pragma once

// Arguments: the program's one CLI11 definition: its commands, options and help.
//
// CLI11 splits the arguments and writes the help. Values are taken from it as texts, so that each
// is checked and each error worded in one place; unexpected arguments are reported here too, since
// CLI11 would repeat them whole, and they may hold credentials.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/App.hpp>

#include "cli/command_line.h"
#include "contract/limits.h"

namespace inventory::cli {

using contract::kDescriptionBytesMax;
using contract::kIntegerMax;
using contract::kOrderIdBytesMax;

inline constexpr std::int64_t kTimeoutMaxSeconds = 3600;

// A wrong command line or setting, as the program ends with it.
Exit usage_error(std::string_view line);

class Arguments {
 public:
  Arguments();

  // Reads the arguments after the program's name. Nothing if they can be looked at below, or how
  // the program ends: help, version, or a wrong command line.
  std::optional<Exit> parse(const std::vector<std::string>& arguments);

  // Of the command that was chosen, or of the program.
  std::string help() const;

  // The commands as CLI11 has them, for the manual page.
  std::vector<const CLI::App*> all_commands() const;

  bool print_config() const;

  // The command's name, with that of its action ("dead-letters list"); empty if none was given.
  std::string command() const;

  // The text of an option that all commands take (--config, --prefetch), if it was given.
  std::optional<std::string> setting(const std::string& flag) const;

  // The text of an option of the command that was chosen, if it was given.
  std::optional<std::string> option(const std::string& flag) const;
  bool flag(const std::string& flag) const;

 private:
  static CLI::App& add_command(CLI::App& parent, const std::string& name,
                               const std::string& description, const std::string& footer);
  void define_commands();
  void define_import();
  void define_stock();
  void define_dead_letters();
  // From the program to the command that was chosen.
  std::vector<const CLI::App*> chosen() const;
  std::optional<std::string> check_arguments() const;
  std::string describe_extra(std::string_view argument) const;

  CLI::App app_;
};

}  // namespace inventory::cli
