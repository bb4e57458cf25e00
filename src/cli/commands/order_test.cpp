#include "cli/commands/order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/testing/command_lines.h"

namespace inventory::cli {
namespace {

using domain::OrderId;

TEST(Order, HasAProductAQuantityAndAnId) {
  const auto order = test::read_by(read_order, {"order", "--product-id", "1", "--quantity", "2",
                                                "--order-id", "123", "--timeout", "1"});
  EXPECT_EQ(order.product_id, 1);
  EXPECT_EQ(order.quantity, 2);
  EXPECT_EQ(order.order_id, OrderId(123));
  EXPECT_EQ(order.timeout, std::chrono::seconds(1));
}

TEST(Order, TakesANegativeIdInEitherSpelling) {
  for (const std::vector<std::string>& id :
       {std::vector<std::string>{"--order-id", "-7"}, {"--order-id=-7"}}) {
    std::vector<std::string> arguments{"order", "--product-id", "1", "--quantity", "2"};
    arguments.insert(arguments.end(), id.begin(), id.end());
    EXPECT_EQ(test::read_by(read_order, arguments).order_id, OrderId(-7));
  }
}

TEST(Order, GetsANewUuidWhereNoIdIsGiven) {
  const std::vector<std::string> arguments{"order", "--product-id", "1", "--quantity", "2"};
  const auto one = test::read_by(read_order, arguments).order_id;
  const auto two = test::read_by(read_order, arguments).order_id;
  EXPECT_THAT(
      std::get<std::string>(one.value()),
      testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"));
  EXPECT_NE(one, two);
}

TEST(Order, SaysWhatItsOptionsTake) {
  EXPECT_EQ(test::error_of({"order", "--quantity", "1"}), "order: --product-id is missing");
  EXPECT_EQ(test::error_of({"order", "--product-id", "1"}), "order: --quantity is missing");
  EXPECT_THAT(test::error_of({"order", "--product-id", "0", "--quantity", "1"}),
              testing::HasSubstr("--product-id takes a whole number from 1 to"));
  EXPECT_THAT(test::error_of({"order", "--product-id", "1", "--quantity", "0"}),
              testing::HasSubstr("--quantity takes a whole number from 1 to"));
  EXPECT_EQ(test::error_of({"order", "--product-id", "1", "--quantity", "1", "--order-id", ""}),
            "order: --order-id takes an integer, or 1 to 128 bytes of UTF-8; not \"\"");
}

}  // namespace
}  // namespace inventory::cli
