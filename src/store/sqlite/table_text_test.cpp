#include "store/sqlite/table_text.h"

#include <gmock/gmock.h>

namespace inventory::store::sqlite {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(TableText, FindsEachCheckHoweverItIsWritten) {
  EXPECT_THAT(conditions_of("CREATE TABLE inventory (id INTEGER, quantity INTEGER CHECK/* at\nmost "
                            "*/( quantity<9 ), description TEXT,\n cHeCk (length(description) > 1 "
                            "AND description <> ')'))"),
              ElementsAre("CHECK ( quantity<9 )",
                          "cHeCk (length(description) > 1 AND description <> ')')"));
}

TEST(TableText, IsNotFooledByCommentsStringsAndNames) {
  EXPECT_THAT(conditions_of("CREATE TABLE inventory (id INTEGER, -- no CHECK (id > 1) here\n"
                            "quantity INTEGER DEFAULT 1, description TEXT DEFAULT 'it''s a CHECK "
                            "(x)', \"check\" TEXT, [check] TEXT, `check (`` y)` TEXT, \"a\"\"b "
                            "check (\" TEXT /* CHECK (quantity < 1) */, checked TEXT"
                            " /* without an end: CHECK (x)"),
              IsEmpty());
}

TEST(TableText, KnowsTheConditionThatTheTableHasAnyhow) {
  for (const auto* same :
       {"CHECK (quantity >= 0)", "check(\"quantity\">=0)", "CHECK ([Quantity] /* x */ >= 0)"}) {
    EXPECT_THAT(
        conditions_of(std::string("CREATE TABLE inventory (quantity INTEGER ") + same + ")"),
        IsEmpty())
        << same;
  }
  for (const auto* other : {"CHECK (quantity >= 01)", "CHECK ('quantity' >= 0)",
                            "CHECK (quantity >= 0 OR 1)", "CHECK (quantity > 0)"}) {
    EXPECT_THAT(
        conditions_of(std::string("CREATE TABLE inventory (quantity INTEGER ") + other + ")"),
        ElementsAre(other));
  }
}

TEST(TableText, FindsWhatAConflictDoes) {
  EXPECT_THAT(conditions_of("CREATE TABLE inventory (description TEXT UNIQUE ON CONFLICT REPLACE)"),
              ElementsAre("ON CONFLICT REPLACE"));
}

TEST(TableText, TakesWhatEndsTooEarlyForACondition) {
  EXPECT_THAT(conditions_of("CREATE TABLE inventory (quantity INTEGER CHECK (quantity >= 0"),
              ElementsAre("CHECK (quantity >= 0"));
  EXPECT_THAT(conditions_of("CREATE TABLE inventory (x CHECK"), ElementsAre("CHECK"));
  EXPECT_THAT(conditions_of("x ON"), IsEmpty());
  EXPECT_THAT(conditions_of("x ON CONFLICT"), ElementsAre("ON CONFLICT"));
  EXPECT_THAT(conditions_of("'"), IsEmpty());
  EXPECT_THAT(conditions_of("["), IsEmpty());
}

}  // namespace
}  // namespace inventory::store::sqlite
