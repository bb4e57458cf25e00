#include "amqp/header_table.h"

#include <cstdint>

#include <gtest/gtest.h>

#include "amqp/wire.h"

namespace amqp {
namespace {

using namespace std::string_literals;

TEST(HeaderTable, FindsAStringAmongValuesOfEveryType) {
  const HeaderTable table("\1aV"s + "\1bt\1" + "\1cb\1" + "\1dB\1" + "\1es\1\1" + "\1fu\1\1" +
                          "\1gI\1\1\1\1" + "\1hi\1\1\1\1" + "\1jf\1\1\1\1" + "\1kD\1\1\1\1\1" +
                          "\1ll\1\1\1\1\1\1\1\1" + "\1mL\1\1\1\1\1\1\1\1" + "\1nd\1\1\1\1\1\1\1\1" +
                          "\1oT\1\1\1\1\1\1\1\1" + "\1px\0\0\0\1\1"s + "\1qA\0\0\0\2t\1"s +
                          "\1rF\0\0\0\4\1tt\1"s + "\1sS\0\0\0\5found"s);
  EXPECT_EQ(table.find_string("s"), "found");
  EXPECT_EQ(table.find_string("t"), std::nullopt) << "it is an entry of the nested table";
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
