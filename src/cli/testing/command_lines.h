#pragma once

// Parses command lines as the program does, for tests.

#include <expected>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command_line.h"
#include "cli/commands.h"

namespace inventory::cli::test {

using Variables = std::map<std::string, std::string>;

inline std::expected<Invocation, Exit> parse(const std::vector<std::string>& arguments,
                                             const Variables& variables = {}) {
  std::vector<const char*> argv{"inventory-service"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  return parse_command_line(static_cast<int>(argv.size()), argv.data(), commands(),
                            [&](const std::string& name) -> std::optional<std::string> {
                              const auto found = variables.find(name);
                              if (found == variables.end()) return std::nullopt;
                              return found->second;
                            });
}

// The one line that says what is wrong, without the program's name.
inline std::string error_of(const std::vector<std::string>& arguments,
                            const Variables& variables = {}) {
  const auto invocation = parse(arguments, variables);
  if (invocation) return "no error";
  const auto& [code, text] = invocation.error();
  EXPECT_EQ(code, 2) << text;
  EXPECT_THAT(text, testing::MatchesRegex("inventory-service: [^\n]+\n"));
  return text.substr(19, text.size() - 20);
}

inline std::string output_of(const std::vector<std::string>& arguments,
                             const Variables& variables = {}) {
  const auto invocation = parse(arguments, variables);
  if (invocation) return "no output";
  EXPECT_EQ(invocation.error().code, 0);
  return invocation.error().text;
}

// What `read` returns for a correct command line.
template <class Read>
auto read_by(Read read, const std::vector<std::string>& arguments) {
  Arguments given(commands());
  if (const auto exit = given.parse(arguments)) throw std::runtime_error(exit->text);
  auto options = read(given);
  if (!options) throw std::runtime_error(options.error());
  return *std::move(options);
}

}  // namespace inventory::cli::test
