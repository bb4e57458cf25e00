#include "cli/commands/import/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inventory::cli {
namespace {

using testing::ElementsAre;
using Records = std::vector<std::vector<std::string>>;

// "line: what" for a record that is wrong.
Records read_records(std::string_view text, std::vector<std::size_t>* lines = nullptr) {
  CsvReader reader(text);
  Records records;
  while (auto record = reader.next()) {
    if (lines != nullptr) lines->push_back(*record ? (*record)->line : record->error().line);
    records.push_back(*record ? (*record)->fields
                              : std::vector<std::string>{"wrong: " + record->error().what});
  }
  return records;
}

TEST(Csv, SplitsLinesAndFields) {
  const Records expected{{"a", "b"}, {"", ""}, {"c"}};
  EXPECT_EQ(read_records("a,b\n,\nc"), expected);
  EXPECT_EQ(read_records("a,b\r\n,\r\nc\r\n"), expected);
  EXPECT_EQ(read_records("\xEF\xBB\xBF\n\na,b\n\n\r\n,\nc\n\n"), expected);
  EXPECT_EQ(read_records(""), Records());
  EXPECT_EQ(read_records("a,"), (Records{{"a", ""}}));
}

TEST(Csv, TakesCommasQuotesAndLineEndsInQuotes) {
  EXPECT_EQ(read_records("\"a,\"\"b\"\"\r\n\",\"\"\n\"\"\"\"\r\n"),
            (Records{{"a,\"b\"\r\n", ""}, {"\""}}));
}

TEST(Csv, CountsTheLinesInQuotesToo) {
  std::vector<std::size_t> lines;
  read_records("a\n\"b\n\n\",c\r\n\nd\n", &lines);
  EXPECT_THAT(lines, ElementsAre(1, 2, 6));
}

TEST(Csv, GoesOnAfterARecordThatIsWrong) {
  std::vector<std::size_t> lines;
  const Records expected{{"wrong: a quote inside a field that does not begin with one"},
                         {"c"},
                         {"wrong: text after a closing quote"},
                         {"d"},
                         {"wrong: a quote that is not closed; the rest of the file is in it"}};
  EXPECT_EQ(read_records("a\"b\",x\nc\n\"x\" ,y\nd\n1,\"2\n3", &lines), expected);
  EXPECT_THAT(lines, ElementsAre(1, 2, 3, 4, 5));
}

}  // namespace
}  // namespace inventory::cli
