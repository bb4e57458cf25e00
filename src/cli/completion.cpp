// Writes bash's completion: the names of commands, their actions and options, and of settings.
//
//   completion >inventory-service.bash

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "config/settings.h"

namespace {

using namespace inventory;  // as in main.cpp

constexpr const char* kScript = R"(# Made of the program's own table of commands.
_inventory_service() {{
  local command= word words
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$command/$word" in
{}    esac
  done
  case $command in
{}  esac
  mapfile -t COMPREPLY < <(compgen -W "$words {}" -- "${{COMP_WORDS[COMP_CWORD]}}")
}}
complete -o default -F _inventory_service inventory-service
)";

// The shell's cases: the paths of commands, "/dead-letters/list", and the words that may follow
// each.
struct Cases {
  std::string commands;
  std::string words;
};

void add(const std::string& path, const std::vector<cli::Option>& options,
         const std::vector<cli::Command>& commands, Cases& to) {
  std::string words;
  for (const cli::Option& option : options) {
    if (option.name.starts_with('-')) words += option.name + " ";
  }
  for (const cli::Command& command : commands) {
    const std::string below = path + "/" + command.name;
    words += command.name + " ";
    to.commands += fmt::format("      {0}) command={0} ;;\n", below);
    add(below, command.options, command.actions, to);
  }
  to.words += fmt::format("    {}) words='{}' ;;\n", path.empty() ? "''" : path, words);
}

std::string completion() {
  Cases cases;
  add("", {}, cli::commands(), cases);
  std::string settings = "--help --version --print-config --config";
  for (const auto& setting : config::settings()) settings += fmt::format(" --{}", setting.name);
  return fmt::format(kScript, cases.commands, cases.words, settings);
}

}  // namespace

int main() {
  try {
    fmt::print("{}", completion());
  } catch (const std::exception& error) {
    fmt::print(stderr, "completion: {}\n", error.what());
    return 1;
  }
}
