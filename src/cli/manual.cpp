// Writes the manual page from a template in mdoc(7): replaces the lines @COMMANDS@ and @SETTINGS@
// by the program's own descriptions.
//
//   manual docs/inventory-service.1.in >inventory-service.1

#include <cctype>
#include <cstdio>
#include <exception>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "cli/commands.h"
#include "config/settings.h"

namespace {

using namespace inventory;  // as in main.cpp

// Escapes a text so that roff shows it literally, also at the start of a line and as an argument.
std::string literal(std::string_view text) {
  std::string written;
  for (const char c : text) {
    if (c == '\\') {
      written += "\\e";
    } else if (c == '-') {
      written += "\\-";
    } else if (c == '"') {
      written += "\\(dq";
    } else {
      if ((c == '.' || c == '\'') && written.empty()) written += "\\&";
      written += c;
    }
  }
  return written;
}

// Starts each sentence on a new line, as mdoc(7) wants it.
std::string sentences(std::string text) {
  for (std::size_t at = 0; (at = text.find(". ", at)) != std::string::npos; ++at) {
    if (at + 2 < text.size() && std::isupper(static_cast<unsigned char>(text[at + 2])) != 0) {
      text[at + 1] = '\n';
    }
  }
  return text;
}

// Empty lines separate paragraphs; indented lines are examples.
std::string paragraphs(const std::string& text) {
  std::string written;
  std::string before = "Pp";
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) {
      if (before != "Pp") written += ".Pp\n";
      before = "Pp";
    } else if (line.starts_with("  ")) {
      written += fmt::format(".Dl \"{}\"\n", literal(line.substr(2)));
      before = "Dl";
    } else {
      written += sentences(literal(line)) + "\n";
      before = "text";
    }
  }
  return written;
}

std::string command(const cli::Command& command, const std::string& parents = "") {
  const std::string name = parents + command.name;
  std::string written = fmt::format(".Ss {}\n{}", literal(name), paragraphs(command.summary + "."));
  std::string options;
  for (const cli::Option& option : command.options) {
    const bool is_positional = !option.name.starts_with('-');
    options += fmt::format(
        ".It {}{}\n{}", is_positional ? "" : "Fl " + literal(option.name.substr(1)),
        option.placeholder.empty() ? "" : " Ar " + option.placeholder, paragraphs(option.help));
  }
  if (!options.empty()) written += ".Bl -tag -width Ds\n" + options + ".El\n";
  written += ".Pp\n";
  written += paragraphs(command.description);
  for (const cli::Command& action : command.actions) written += ::command(action, name + " ");
  return written;
}

std::string commands() {
  std::string written;
  for (const cli::Command& one : cli::commands()) written += command(one);
  return written;
}

std::string settings() {
  std::string written = ".Bl -tag -width Ds\n";
  for (const config::Setting& setting : config::settings()) {
    written += fmt::format(".It Fl {} Ar {}\n", literal("-" + std::string(setting.name)),
                           setting.placeholder);
    written += literal(setting.description) + ".\n";
    written += fmt::format("Takes {}.\n", literal(setting.takes));
    written += fmt::format("Environment:\n.Ev {} .\n", setting.environment);
    if (!setting.default_text.empty()) {
      written += fmt::format("Default:\n.Ql {} .\n", literal(setting.default_text));
    }
  }
  return written + ".El\n";
}

void write(const char* path) {
  std::ifstream page(path);
  if (!page) throw std::runtime_error(fmt::format("{} cannot be read", path));
  for (std::string line; std::getline(page, line);) {
    if (line == "@COMMANDS@") {
      fmt::print("{}", commands());
    } else if (line == "@SETTINGS@") {
      fmt::print("{}", settings());
    } else {
      fmt::print("{}\n", line);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw std::runtime_error("takes a template");
    write(argv[1]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "manual: {}\n", error.what());
    return 1;
  }
}
