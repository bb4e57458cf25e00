#include "store/postgres/write_check.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace inventory::store::postgres {
namespace {

using Products = std::vector<domain::ProductId>;

constexpr auto* kOfACast = "22P02";

TEST(FindMark, FindsNoneInTheServersOwnWords) {
  EXPECT_FALSE(find_mark(kOfACast, ""));
  EXPECT_FALSE(find_mark(kOfACast, "invalid input syntax for type bigint: \"many\""));
}

TEST(FindMark, FindsNoneInWhatATriggerSays) {
  EXPECT_FALSE(find_mark("P0001", "bigint: \"inventory-service: to be checked: 1\""));
}

TEST(FindMark, ReadsInAnyLanguageThatATableMustBeChecked) {
  for (const auto* message :
       {"invalid input syntax for type bigint: \"inventory-service: to be checked: 1\"",
        "ungültige Eingabesyntax für Typ bigint: »inventory-service: to be checked: 2«"}) {
    const auto mark = find_mark(kOfACast, message);
    ASSERT_TRUE(mark) << message;
    EXPECT_TRUE(mark->is_interfered_with);
    EXPECT_EQ(mark->products, Products());
  }
}

TEST(FindMark, ReadsWhatDiffers) {
  const auto mark = find_mark(
      kOfACast,
      "ungültige Eingabesyntax für Typ bigint: »inventory-service: not as written: inventory 7,"
      "inventory_ledger -3,inventory_ledger 7«");
  ASSERT_TRUE(mark);
  EXPECT_FALSE(mark->is_interfered_with);
  EXPECT_EQ(mark->differing, "inventory 7,inventory_ledger -3,inventory_ledger 7");
  EXPECT_EQ(mark->products, (Products{-3, 7}));
}

TEST(FindMark, ShortensALongListForTextsAndKeepsAllProducts) {
  std::string list = "inventory 0";
  for (int product = 1; product < 500; ++product) {
    list += fmt::format(",inventory {}", product);
  }
  const auto mark =
      find_mark(kOfACast, fmt::format("bigint: \"inventory-service: not as written: {}\"", list));
  ASSERT_TRUE(mark);
  EXPECT_LE(mark->differing.size(), 210U);
  EXPECT_TRUE(mark->differing.ends_with(",...")) << mark->differing;
  EXPECT_EQ(mark->products.size(), 500U);
}

}  // namespace
}  // namespace inventory::store::postgres
