#include "cli/commands/import/request_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inventory::cli {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;

RequestFile read_rows(std::string_view rows, std::string_view name = "items.csv") {
  auto file = read_request_file("quantity,description\n" + std::string(rows), name);
  if (!file) throw std::runtime_error(file.error());
  return *file;
}

std::vector<std::string> identities(std::string_view rows, std::string_view name = "items.csv") {
  std::vector<std::string> result;
  for (const RequestRow& row : read_rows(rows, name).rows) result.push_back(row.identity);
  return result;
}

TEST(RequestFile, HasARowForEachItem) {
  const auto rows = read_rows("10,\"Blue T-shirt, size M\"\n0,\n9007199254740991,\"\"\n").rows;
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].line, 2U);
  EXPECT_EQ(rows[0].body, R"({"quantity":10,"description":"Blue T-shirt, size M"})");
  EXPECT_EQ(rows[1].body, R"({"quantity":0})");
  EXPECT_EQ(rows[2].body, R"({"quantity":9007199254740991})");
}

TEST(RequestFile, NamesTheLineOfEachBadRow) {
  const auto file = read_rows("1,a\n-1,b\n1.5,c\n,d\n1,e,f\n1\n1,\xFF\n1,a\0b\n"s + "1," +
                              std::string(10'001, 'x') + "\n2,\"g\n9007199254740992,h\n");
  EXPECT_EQ(file.rows.size(), 1U);
  std::vector<std::size_t> lines;
  lines.reserve(file.bad.size());
  for (const BadRow& bad : file.bad) lines.push_back(bad.line);
  EXPECT_THAT(lines, ElementsAre(3, 4, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_THAT(file.bad[0].what, HasSubstr("quantity takes a whole number from 0 to"));
  EXPECT_THAT(file.bad[3].what, HasSubstr("3 fields"));
}

TEST(RequestFile, NeedsItsHead) {
  for (const char* text : {"", "1,a\n", "description,quantity\n", "\"quantity,description\n"}) {
    EXPECT_THAT(read_request_file(text, "x").error(), HasSubstr("the first line is none of"));
  }
}

RequestFile read_file(std::string_view text) {
  auto file = read_request_file(text, "delivery 17");
  if (!file) throw std::runtime_error(file.error());
  return *file;
}

TEST(RequestFile, HasARowForEachAdjustment) {
  const auto changes = read_file("product_id,change,reason\n1,+5,\"from \"\"A\"\"\"\n2,-3,\n");
  EXPECT_EQ(changes.kind, RowKind::adjustment);
  ASSERT_EQ(changes.rows.size(), 2U);
  EXPECT_EQ(changes.rows[0].body, R"({"adjustment_id":")" + changes.rows[0].identity +
                                      R"(","product_id":1,"change":5,"reason":"from \"A\""})");
  EXPECT_EQ(changes.rows[1].body, R"({"adjustment_id":")" + changes.rows[1].identity +
                                      R"(","product_id":2,"change":-3})");
  const auto counts = read_file("product_id,set_to\n7,0\n");
  ASSERT_EQ(counts.rows.size(), 1U);
  EXPECT_EQ(counts.rows[0].body,
            R"({"adjustment_id":")" + counts.rows[0].identity + R"(","product_id":7,"set_to":0})");
  EXPECT_LE(counts.rows[0].identity.size(), 128U);
}

TEST(RequestFile, NamesTheLineOfEachBadAdjustment) {
  const auto file =
      read_file("product_id,change,reason\n0,1,\n1,0,\n1,+-1,\n1,1.5,\n1,1\n1,1,\"a\nb\"\n");
  EXPECT_TRUE(file.rows.empty());
  std::vector<std::size_t> lines;
  lines.reserve(file.bad.size());
  for (const BadRow& bad : file.bad) lines.push_back(bad.line);
  EXPECT_THAT(lines, ElementsAre(2, 3, 4, 5, 6, 7));
}

RequestFile read_stocktake(std::string_view rows, std::string_view name = "stock.csv") {
  auto file = read_request_file(std::string(kStocktakeHead) + "\r\n" + std::string(rows), name);
  if (!file) throw std::runtime_error(file.error());
  return *file;
}

TEST(RequestFile, SetsWhatWasCountedIfThereIsStillWhatWasExported) {
  const auto file = read_stocktake(
      "1,\"Socks, \"\"blue\"\"\",2,17,10,8\r\n2,\"\",0,1,5,5\r\n3,\"\",0,1,5,\r\n4,,0,0,0,3\r\n");
  EXPECT_EQ(file.kind, RowKind::adjustment);
  EXPECT_TRUE(file.bad.empty());
  EXPECT_EQ(file.as_expected, 1U);
  EXPECT_EQ(file.not_counted, 1U);
  ASSERT_EQ(file.rows.size(), 2U);
  EXPECT_EQ(file.rows[0].body,
            R"({"adjustment_id":")" + file.rows[0].identity +
                R"(","product_id":1,"set_to":8,"expected":10,"reason":"stocktake"})");
  EXPECT_EQ(file.rows[0].expected, 10);
  EXPECT_EQ(file.rows[1].line, 5U);
  EXPECT_EQ(file.rows[1].product, 4);
}

TEST(RequestFile, KnowsARowOfAStocktakeByTheVersionOfItsProduct) {
  const auto identity = [](std::string_view row, std::string_view name) {
    return read_stocktake(row, name).rows.at(0).identity;
  };
  EXPECT_EQ(identity("1,a,2,17,10,8\n", "a.csv"), identity("1,b,3,17,10,8\n", "b.csv"));
  EXPECT_NE(identity("1,a,2,17,10,8\n", "a.csv"), identity("1,a,2,18,10,8\n", "a.csv"));
  EXPECT_NE(identity("1,a,2,17,10,8\n", "a.csv"), identity("1,a,2,17,10,7\n", "a.csv"));
}

TEST(RequestFile, NamesTheLineOfEachBadRowOfAStocktake) {
  const auto file = read_stocktake(
      "x,a,0,1,5,4\n1,a,0,1,,4\n1,a,0,,5,4\n1,a,0,1,5,-4\n1,a,0,1,5,4.5\n1,a,0,1,5\n,,,,,\n");
  EXPECT_TRUE(file.rows.empty());
  EXPECT_EQ(file.not_counted, 1U);
  std::vector<std::size_t> lines;
  lines.reserve(file.bad.size());
  for (const BadRow& bad : file.bad) lines.push_back(bad.line);
  EXPECT_THAT(lines, ElementsAre(2, 3, 4, 5, 6, 7));
  EXPECT_THAT(file.bad[3].what, HasSubstr("counted takes a whole number"));
}

TEST(RequestFile, KnowsAnAdjustmentWhoseReasonWasCorrected) {
  const auto wrong = read_file("product_id,change,reason\n1,5,delivry\n");
  const auto right = read_file("product_id,change,reason\n1,5,delivery\n");
  EXPECT_EQ(wrong.rows[0].identity, right.rows[0].identity);
  EXPECT_NE(wrong.rows[0].identity, read_file("product_id,change\n1,6\n").rows[0].identity);
  EXPECT_NE(wrong.rows[0].identity, read_file("product_id,set_to\n1,5\n").rows[0].identity);
}

TEST(RequestFile, GivesARowTheSameIdentityWhereverItStands) {
  const auto before = identities("1,a\n2,b\n3,c\n");
  const auto after = identities("0,new\n3,c\n1,\"a\"\n2,changed\n");
  EXPECT_EQ(after[1], before[2]);
  EXPECT_EQ(after[2], before[0]);
  EXPECT_NE(after[3], before[1]);
  EXPECT_LE(before[0].size(), 255U);
}

TEST(RequestFile, TellsRowsThatAreAlikeApart) {
  const auto two = identities("1,a\n1,a\n");
  EXPECT_NE(two[0], two[1]);
  const auto three = identities("1,a\n2,b\n1,a\n1,a\n");
  EXPECT_EQ(three[0], two[0]);
  EXPECT_EQ(three[2], two[1]);
  EXPECT_NE(identities("1,a\n", "one.csv"), identities("1,a\n", "two.csv"));
}

}  // namespace
}  // namespace inventory::cli
