#include "amqp/header_table.h"

#include <cstdint>

#include <gtest/gtest.h>

#include "amqp/wire.h"

namespace amqp {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

TEST(HeaderTable, FindsAStringAmongValuesOfEveryType) {
  const HeaderTable table("\1aV"s + "\1bt\1" + "\1cb\1" + "\1dB\1" + "\1es\1\1" + "\1fu\1\1" +
                          "\1gI\1\1\1\1" + "\1hi\1\1\1\1" + "\1jf\1\1\1\1" + "\1kD\1\1\1\1\1" +
                          "\1ll\1\1\1\1\1\1\1\1" + "\1mL\1\1\1\1\1\1\1\1" + "\1nd\1\1\1\1\1\1\1\1" +
                          "\1oT\1\1\1\1\1\1\1\1" + "\1px\0\0\0\1\1"s + "\1qA\0\0\0\2t\1"s +
                          "\1rF\0\0\0\4\1tt\1"s + "\1sS\0\0\0\5found"s);
  EXPECT_EQ(table.find_string("s"), "found");
  EXPECT_EQ(table.find_string("t"), std::nullopt) << "it is an entry of the nested table";
}

TEST(HeaderTable, TellsIntegersOfEveryType) {
  const HeaderTable table("\1tt\1"s + "\1bb\xFF" + "\1BB\xFF" + "\1ss\xFF\xFE" + "\1uu\1\2" +
                          "\1II\xFF\xFF\xFF\xFD" + "\1ii\0\0\1\0"s + "\1ll\0\0\0\1\0\0\0\0"s +
                          "\1LL\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF" + "\1SS\0\0\0\1x"s);
  const std::vector<std::pair<std::string, std::int64_t>> expected{
      {"t", 1},  {"b", -1},  {"B", 255},           {"s", -2}, {"u", 258},
      {"I", -3}, {"i", 256}, {"l", 0x1'0000'0000}, {"L", -1}};
  for (const auto& [name, integer] : expected) EXPECT_EQ(table.find_integer(name), integer) << name;
  EXPECT_EQ(table.find_integer("S"), std::nullopt);
  EXPECT_EQ(table.find_integer("absent"), std::nullopt);
}

TEST(HeaderTable, GivesEntriesAndItemsUpToTheFirstThatIsMalformed) {
  const std::string encoded = "\1aA\0\0\0\x9S\0\0\0\2xyt\1\1fF\0\0\0\3\1bV\1zS\0\0\1\0?"s;
  const auto entries = table_entries(encoded);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].name, "a");
  const auto items = array_items(entries[0].bytes);
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].bytes, "xy");
  EXPECT_EQ(to_integer(items[1]), 1);
  const auto nested = table_entries(entries[1].bytes);
  ASSERT_EQ(nested.size(), 1U);
  EXPECT_EQ(nested[0].type, 'V');
  EXPECT_EQ(array_items("t\1Z\1"sv).size(), 1U) << "an unknown type";
}

TEST(HeaderTable, FindsTheFirstOfTwoEntriesOfAName) {
  HeaderTable table;
  table.add_string("x", "first");
  table.add_string("x", "second");
  EXPECT_EQ(table.find_string("x"), "first");
}

TEST(HeaderTable, DoesNotTakeAnotherTypeForAString) {
  HeaderTable table;
  table.add_bool("x", true);
  EXPECT_EQ(table.find_string("x"), std::nullopt);
  EXPECT_EQ(table.find_entry("x"), "\1xt\1"s);
}

TEST(HeaderTable, CopiesAnEntryByteForByte) {
  const HeaderTable from("\1nA\0\0\0\2t\1\1xS\0\0\0\1y"s);
  HeaderTable to;
  to.add_entry(from.find_entry("n"));
  EXPECT_EQ(to.encoded(), "\1nA\0\0\0\2t\1"s);
}

TEST(HeaderTable, RemovesEveryEntryOfAName) {
  HeaderTable table;
  table.add_string("x", "1");
  table.add_bool("y", false);
  table.add_string("x", "2");
  table.remove("x");
  EXPECT_EQ(table.encoded(), "\1yt\0"s);
}

TEST(HeaderTable, KeepsAMalformedTableAsItIs) {
  HeaderTable table("\1xt\1\1y?"s);
  table.remove("x");
  EXPECT_EQ(table.encoded(), "\1xt\1\1y?"s);
}

TEST(HeaderTable, FindsNothingBehindMalformedBytesAndReadsNothingBehindTheEnd) {
  const std::string whole = "\1nA\0\0\0\2t\1\1xS\0\0\0\5found"s;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const HeaderTable table(whole.substr(0, size));
    EXPECT_EQ(table.find_string("x"), std::nullopt) << size;
  }
  EXPECT_EQ(HeaderTable("\1nA\xFF\xFF\xFF\xFF\1xS\0\0\0\1y"s).find_string("x"), std::nullopt);
  EXPECT_EQ(HeaderTable("\1n?\1xS\0\0\0\1y"s).find_string("x"), std::nullopt);
}

TEST(HeaderTable, SkipsNestedArraysWithoutEnteringThem) {
  std::string nested;
  for (std::uint32_t inside = 26'000; inside-- > 0;) {
    nested += 'A';
    append_integer(nested, inside * 5);
  }
  HeaderTable table("\1n" + nested);
  table.add_string("x", "behind");
  EXPECT_EQ(table.find_string("x"), "behind");
  EXPECT_EQ(table.find_entry("n"), "\1n" + nested);
}

TEST(HeaderTable, IsWellFormedUpToTheFirstEntryOfWhichAnythingIsNot) {
  const std::string inner = "\1bA\0\0\0\2t\1"s;
  std::string whole = "\1at\1\1nF"s;
  append_integer(whole, static_cast<std::uint32_t>(inner.size()));
  whole += inner + "\1zV";
  EXPECT_EQ(well_formed_size(whole), whole.size());
  EXPECT_EQ(well_formed_size(""), 0U);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::size_t expected = size < 4 ? 0 : size < whole.size() - 3 ? 4 : whole.size() - 3;
    EXPECT_EQ(well_formed_size(std::string_view(whole).substr(0, size)), expected) << size;
  }
  whole[whole.find("bA") + 6] = 'Z';  // inside the array inside the table
  EXPECT_EQ(well_formed_size(whole), 4U);
}

TEST(HeaderTable, IsWellFormedHoweverDeepItIs) {
  for (const std::string_view behind : {"", "V"}) {
    constexpr std::uint32_t kDepth = 100'000;
    const auto level_size = static_cast<std::uint32_t>(5 + behind.size());
    std::string nested = "\1n";
    for (std::uint32_t inside = kDepth; inside-- > 0;) {
      nested += 'A';
      append_integer(nested, inside * level_size);
    }
    for (std::uint32_t level = 1; level < kDepth; ++level) nested += behind;
    EXPECT_EQ(well_formed_size(nested), nested.size());
    nested[nested.size() - (kDepth - 1) * behind.size() - 5] = 'Z';  // the innermost array
    EXPECT_EQ(well_formed_size(nested), 0U);
  }
}

TEST(HeaderTable, RenamesEveryEntryOfAName) {
  HeaderTable table;
  table.add_string("CC", "a");
  table.add_bool("other", true);
  table.add_string("CC", "b");
  table.rename("CC", "original-CC");
  HeaderTable expected;
  expected.add_string("original-CC", "a");
  expected.add_bool("other", true);
  expected.add_string("original-CC", "b");
  EXPECT_EQ(table, expected);
}

}  // namespace
}  // namespace amqp
