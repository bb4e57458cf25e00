#include "terminal/printable.h"

#include <gtest/gtest.h>

namespace inventory::terminal {
namespace {

TEST(Printable, LeavesNothingThatATerminalObeysOrThatReordersText) {
  EXPECT_EQ(printable("a\x1b[31m\x7f"), R"(a\x1b[31m\x7f)");
  EXPECT_EQ(printable("\u009b31m"), R"(\xc2\x9b31m)");
  EXPECT_EQ(printable("\u202egpj.exe"), R"(\xe2\x80\xaegpj.exe)");
  EXPECT_EQ(printable("\u2066\u061c\u200f\u2028"),
            R"(\xe2\x81\xa6\xd8\x9c\xe2\x80\x8f\xe2\x80\xa8)");
  EXPECT_EQ(printable("a\xff\n"), R"(a\xff\x0a)");
  EXPECT_EQ(printable("a\n\tb", true), "a\n\tb");
  EXPECT_EQ(printable("größe 衣服 👕"), "größe 衣服 👕");
}

TEST(Printable, KeepsJsonTheSameToWhoeverParsesIt) {
  EXPECT_EQ(printable_json("{\"a\":\"\u009b\u202e\x7f\"}"), R"({"a":"\u009b\u202e\u007f"})");
  EXPECT_EQ(printable_json("{\r\n\t\"a\":\"é\"}"), "{   \"a\":\"é\"}");
  EXPECT_EQ(printable_json("\"\xff\""), "\"\uFFFD\"");
}

TEST(Printable, CountsTheColumnsThatATerminalGivesToAText) {
  EXPECT_EQ(columns_of("abc"), 3U);
  EXPECT_EQ(columns_of("衣服"), 4U);
  EXPECT_EQ(columns_of("e\u0301"), 1U);
  EXPECT_EQ(cut("abc", 3), "abc");
  EXPECT_EQ(cut("abcd", 3), "ab…");
  EXPECT_EQ(cut("衣服衣", 5), "衣服…");
  EXPECT_EQ(cut("衣服衣", 4), "衣…");
  EXPECT_EQ(cut("anything", 0), "anything");
  EXPECT_EQ(padded("衣", 4), "衣  ");
  EXPECT_EQ(padded("abcde", 4), "abcde");
}

}  // namespace
}  // namespace inventory::terminal
