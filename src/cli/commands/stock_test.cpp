#include "cli/commands/stock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/import/csv.h"
#include "cli/commands/import/request_file.h"
#include "cli/testing/command_lines.h"

namespace inventory::cli {
namespace {

using testing::HasSubstr;

TEST(Stock, IsATableJsonOrCsv) {
  EXPECT_TRUE(test::read_by(read_stock, {"stock", "--csv"}).csv);
  EXPECT_TRUE(test::read_by(read_stock, {"stock", "--json"}).json);
  EXPECT_THAT(test::error_of({"stock", "--json", "--csv"}), HasSubstr("give either"));
}

TEST(Stock, PrintsARowToCountWith) {
  store::StoredItem item{.id = 7, .quantity = 10, .description = "Socks, \"blue\""};
  item.held = 2;
  item.version = 17;
  EXPECT_EQ(csv_line(item), R"(7,"Socks, ""blue""",2,17,10,)");
  item.quantity.reset();
  item.description.reset();
  EXPECT_EQ(csv_line(item), R"(7,"",2,17,,)");
}

TEST(Stock, PrintsNoFormulaAndNothingThatATerminalObeysInARow) {
  const auto cell = [](std::string description) {
    const auto line = csv_line({.id = 7, .description = std::move(description)});
    return CsvReader(line).next()->value().fields.at(1);
  };
  for (const std::string formula : {"=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "  =1"}) {
    EXPECT_EQ(cell(formula), "'" + formula);
  }
  EXPECT_EQ(cell("\t=1"), "\\x09=1");
  EXPECT_EQ(cell("a\r\n=1,\"\x1b[31m"), "a\\x0d\\x0a=1,\"\\x1b[31m");
  EXPECT_EQ(cell("\xff\xE2\x80\xAE"), "\\xff\\xe2\\x80\\xae");
}

TEST(Stock, PrintsAFileThatImportTakes) {
  const store::StoredItem item{.id = 7, .quantity = 10, .description = "=1,\"\n"};
  const auto file = std::string(kStocktakeHead) + "\n" + csv_line(item) + "9\n";
  const auto read = read_request_file(file, "stock.csv");
  ASSERT_TRUE(read && read->rows.size() == 1);
  EXPECT_THAT(read->rows[0].body, HasSubstr(R"("product_id":7,"set_to":9,"expected":10)"));
}

}  // namespace
}  // namespace inventory::cli
