#include "cli/options.h"

#include <gtest/gtest.h>

namespace inventory::cli {
namespace {

using domain::OrderId;

TEST(OrderId, IsAnIntegerWhereItIsSpelledAsJsonWouldSpellOne) {
  EXPECT_EQ(parse_order_id("0"), OrderId(0));
  EXPECT_EQ(parse_order_id("9007199254740991"), OrderId(9007199254740991));
  EXPECT_EQ(parse_order_id("-9007199254740991"), OrderId(-9007199254740991));
}

TEST(OrderId, IsAStringOtherwise) {
  for (const char* text : {"9007199254740992", "-9007199254740992", "-9223372036854775808", "007",
                           "-0", "+5", "1.0", " 1", "99999999999999999999", "a-b"}) {
    EXPECT_EQ(parse_order_id(text), OrderId(text));
  }
  EXPECT_EQ(parse_order_id(std::string(128, 'x')), OrderId(std::string(128, 'x')));
}

TEST(OrderId, IsNeitherEmptyNorLongNorBroken) {
  EXPECT_EQ(parse_order_id(""), std::nullopt);
  EXPECT_EQ(parse_order_id(std::string(129, 'x')), std::nullopt);
  EXPECT_EQ(parse_order_id("\xFF"), std::nullopt);
}

}  // namespace
}  // namespace inventory::cli
