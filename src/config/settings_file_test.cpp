#include "config/settings_file.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inventory::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string value_of(std::string_view value) {
  const auto settings = parse_settings_file("key = " + std::string(value));
  return settings ? settings->at(0).value : settings.error();
}

std::string error_of(std::string_view text) {
  const auto settings = parse_settings_file(text);
  return settings ? "no error" : settings.error();
}

TEST(SettingsFile, ReadsStringsNumbersAndCommentsWithTheirLines) {
  const auto settings = parse_settings_file(
      "# a comment\n"
      "\n"
      "amqp-url = \"amqp://a,b/\" # why\r\n"
      "\t prefetch=2_000#\n"
      "order-queue = 'orders'");
  ASSERT_TRUE(settings) << settings.error();
  EXPECT_THAT(*settings, ElementsAre(FileSetting{"amqp-url", "amqp://a,b/", 3},
                                     FileSetting{"prefetch", "2000", 4},
                                     FileSetting{"order-queue", "orders", 5}));
}

TEST(SettingsFile, KeepsWhatStandsBetweenQuotes) {
  EXPECT_EQ(value_of(R"("a#b = 'c', [d] ; e")"), "a#b = 'c', [d] ; e");
  EXPECT_EQ(value_of(R"('C:\n "x" #')"), R"(C:\n "x" #)");
  EXPECT_EQ(value_of(R"("")"), "");
  EXPECT_EQ(value_of(R"('')"), "");
  EXPECT_EQ(value_of("\"\u20AC\""), "\u20AC");
}

TEST(SettingsFile, ReadsTheEscapesOfBasicStrings) {
  EXPECT_EQ(value_of(R"("\b\t\n\f\r\"\\")"), "\b\t\n\f\r\"\\");
  EXPECT_EQ(value_of(R"("\u0041\u00E9\u20ac\U0001F600")"), "A\u00E9\u20AC\U0001F600");
}

TEST(SettingsFile, RefusesEscapesThatAreNone) {
  for (const char* value : {R"("\x41")", R"("\u12")", R"("\uD800")", R"("\U00110000")",
                            R"("\u-123")", R"("\u+123")", R"("\u12 4")", R"("\")", "\"\\"}) {
    EXPECT_THAT(value_of(value), testing::StartsWith("line 1: key: ")) << value;
  }
}

TEST(SettingsFile, ReadsWholeNumbersOnly) {
  EXPECT_EQ(value_of("0"), "0");
  EXPECT_EQ(value_of("+5"), "5");
  EXPECT_EQ(value_of("-17 # below"), "-17");
  EXPECT_EQ(value_of("0x10"), "16");
  EXPECT_EQ(value_of("9223372036854775807"), "9223372036854775807");
  for (const char* value : {"007", "1__0", "_1", "1.5", "1e3", "true", "abc", "-", "", "[1]",
                            "2026-11-23", "9223372036854775808"}) {
    EXPECT_EQ(value_of(value), R"(line 1: key: the value takes "text in quotes" or a whole number)")
        << value;
  }
}

TEST(SettingsFile, NamesTheLineThatIsWrong) {
  EXPECT_EQ(error_of("a = 1\nprefetch 5"), "line 2: a line takes key = value");
  EXPECT_EQ(error_of("= 5"), "line 1: a line takes key = value");
  EXPECT_EQ(error_of("a.b = 5"), "line 1: tables are not used here: write key = value");
  EXPECT_EQ(error_of("\n[server]"), "line 2: tables are not used here: write key = value");
  EXPECT_EQ(error_of("[[server]]"), "line 1: tables are not used here: write key = value");
  EXPECT_EQ(error_of("a = 1\n[a]"), "line 2: tables are not used here: write key = value");
  EXPECT_EQ(error_of("\n[server"), "line 2: tables are not used here: write key = value");
  EXPECT_EQ(error_of("z = 1.5\na = 1.5"),
            "line 1: z: the value takes \"text in quotes\" or a whole number");
  EXPECT_EQ(error_of("a = \"x"), "line 1: a: the closing \" is missing");
  EXPECT_EQ(error_of("a = 'x"), "line 1: a: the closing ' is missing");
  EXPECT_EQ(error_of("a = 'x' y"), "line 1: a: only a # comment may follow the value");
  EXPECT_THAT(error_of("# \xFF"), HasSubstr("not UTF-8"));
  EXPECT_THAT(error_of(std::string("a = \"") + '\0' + '"'), HasSubstr("control character"));
}

TEST(SettingsFile, TakesACarriageReturnForALineEndOnlyBeforeALineFeed) {
  EXPECT_EQ(error_of("a = 1\r\n"), "no error");
  EXPECT_THAT(error_of("a = 1\r"), HasSubstr("control character"));
  EXPECT_THAT(error_of("a = 1\rb = 2\n"), HasSubstr("control character"));
}

TEST(SettingsFile, ReadsStringsOverSeveralLines) {
  EXPECT_EQ(value_of("\"\"\"\nx\\\n  y\"\"\""), "xy");
  EXPECT_EQ(value_of("'''\nx'''"), "x");
  for (const char* text : {"a = \"\"\"\nb = 1", "a = [\nb = 1", "a = [1,\nb]"}) {
    EXPECT_EQ(error_of(text),
              "line 2: a value over several lines is not closed, or not well-formed");
  }
}

TEST(SettingsFile, NamesBothLinesOfAKeyThatComesTwice) {
  EXPECT_EQ(error_of("a = 1\n\na = 1"), "line 3: a is already set in line 1");
  EXPECT_EQ(error_of("a = 1\n a=\"x\""), "line 2: a is already set in line 1");
}

TEST(SettingsFile, NeverRepeatsAValueInAnError) {
  for (const char* text :
       {"u = \"amqp://u:hunter2@h", "u \"hunter2\"", "u = hunter2", "u = 'x' hunter2",
        "u = \"hunter2\\x\"", "u = \"\"\"\nhunter2=", "u = [\nhunter2=", "u = hunter2hunter2",
        "u = 99999999999999999999hunter2", "'hunter2'", "\"hunter2\" = 1.5",
        "\"hunter2\" = 1\n\"hunter2\" = 1", "[hunter2]", "u = \"x\"\nhunter2"}) {
    EXPECT_THAT(error_of(text), Not(HasSubstr("hunter2"))) << text;
  }
}

TEST(SettingsFile, RefusesAFileThatIsTooLarge) {
  const std::string comment = "#" + std::string(kSettingsFileBytesMax - 1, ' ');
  EXPECT_TRUE(parse_settings_file(comment));
  EXPECT_EQ(error_of(comment + " "), "line 1: takes at most 65536 bytes");
}

TEST(SettingsFile, ReadsBackEveryStringThatItWrites) {
  std::string every;
  for (char c = 0; c < 127; ++c) every.push_back(c);
  every += "\x7F\u00E9\u20AC\U0001F600";
  EXPECT_EQ(value_of(toml_string(every)), every);
  EXPECT_EQ(toml_string("a\xFFz"), "\"a\uFFFDz\"");
}

TEST(SettingsFile, ReadsOrRefusesAnyBytes) {
  static constexpr std::string_view kPieces[] = {"a", " = ", "\"", "'", "\\",   "u00", "#",    "\n",
                                                 "[", "5",   "_",  "-", "\xE2", "\r",  "\x01", "."};
  std::mt19937 random(7);  // NOLINT(bugprone-random-generator-seed): the same texts each time
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (auto length = random() % 12; length > 0; --length) {
      text += kPieces[random() % std::size(kPieces)];
    }
    const auto settings = parse_settings_file(text);
    if (!settings) {
      EXPECT_THAT(settings.error(), testing::MatchesRegex("line [0-9]+: [^\n]+")) << text;
    }
  }
}

}  // namespace
}  // namespace inventory::config
