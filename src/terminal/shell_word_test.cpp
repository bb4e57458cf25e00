#include "terminal/shell_word.h"

#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>

namespace inventory::terminal {
namespace {

// What a shell makes of a word.
std::string read_by_shell(const std::string& word) {
  std::FILE* output = popen(("printf %s. " + word).c_str(), "r");
  if (output == nullptr) throw std::runtime_error("no shell");
  std::string text;
  for (int c = std::fgetc(output); c != EOF; c = std::fgetc(output)) text += static_cast<char>(c);
  if (pclose(output) != 0 || !text.ends_with('.')) throw std::runtime_error(word);
  text.pop_back();
  return text;
}

TEST(ShellWord, IsTheTextToAShell) {
  for (const char* text :
       {"",          "a",        "A-17",       "a b",    "'",     "''",  "it's",
        "$(reboot)", "`reboot`", "; reboot #", "a\"b",   "\\",    "\\'", "*",
        "~",         "!x",       "-rf",        "--to=x", "$HOME", "a=b", "ö 日本 🛒",
        "{a,b}",     "%s%n",     "&&",         "|",      "<",     ">",   "a'; reboot; echo 'b"}) {
    const auto word = shell_word(text);
    ASSERT_TRUE(word) << text;
    EXPECT_EQ(read_by_shell(*word), text) << *word;
  }
}

TEST(ShellWord, IsTheTextToAShellWhateverCharactersItHas) {
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same each time
  std::string command;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    std::string text;
    for (auto size = random() % 12; size > 0; --size)
      text += static_cast<char>(' ' + random() % 95);
    command += *shell_word(text) + ' ';
    expected += text + '.';
  }
  expected.pop_back();
  // printf takes its format again for each word.
  EXPECT_EQ(read_by_shell(command), expected);
}

TEST(ShellWord, NeedsNoQuotesWhereNothingIsSpecial) {
  EXPECT_EQ(shell_word("order_validate.dlq"), "order_validate.dlq");
  EXPECT_EQ(shell_word("2026-11-23T03:00:00.123456+00:00"), "2026-11-23T03:00:00.123456+00:00");
  EXPECT_EQ(shell_word("a b"), "'a b'");
  EXPECT_EQ(shell_word("it's"), R"('it'\''s')");
}

TEST(ShellWord, IsNoneOfWhatATerminalObeysOrPeopleMisread) {
  for (const std::string& text : std::vector<std::string>{
           "a\nb", "\r", "\t", "\x1b[201~", "\x03", "\x7f", std::string("a\0b", 3), "\xC2\x9B",
           "\u202Ea", "\u2066", "\xFF", "a\xC3"}) {
    EXPECT_EQ(shell_word(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace inventory::terminal
