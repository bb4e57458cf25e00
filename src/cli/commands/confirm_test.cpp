#include "cli/commands/confirm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/order_request.h"
#include "cli/testing/command_lines.h"

namespace inventory::cli {
namespace {

std::string body_of_confirm(const std::vector<std::string>& arguments) {
  return body_of(test::read_by(
      [](const Arguments& given) { return read_order_request(given, Quantities::optional); },
      arguments));
}

TEST(Confirm, NamesTheOrderAndItsItems) {
  EXPECT_EQ(body_of_confirm({"confirm", "--order-id", "A-17", "--product-id", "1"}),
            R"({"order_id":"A-17","product_id":1})");
  EXPECT_EQ(body_of_confirm({"confirm", "--order-id", "7", "--line-id", "4", "--product-id", "1",
                             "--quantity", "2"}),
            R"({"order_id":7,"line_id":4,"product_id":1,"quantity":2})");
  EXPECT_EQ(body_of_confirm({"confirm", "--order-id", "7", "--item", "1", "--item", "5:1"}),
            R"({"order_id":7,"items":[{"product_id":1},{"product_id":5,"quantity":1}]})");
}

TEST(Confirm, NeedsAnOrder) {
  EXPECT_EQ(test::error_of({"confirm", "--product-id", "1"}), "confirm: --order-id is missing");
  EXPECT_EQ(test::error_of({"confirm", "--order-id", "1"}),
            "confirm: --product-id or --item is missing");
}

TEST(Confirm, TakesNoTimeToHold) {
  EXPECT_THAT(test::error_of({"confirm", "--order-id", "1", "--product-id", "1", "--hold", "15m"}),
              testing::HasSubstr("no option is called --hold"));
}

TEST(Confirm, SaysThatItIsSwitchedOff) {
  EXPECT_EQ(test::error_of(
                {"confirm", "--order-id", "1", "--product-id", "1", "--confirm-queue", "none"}),
            "confirm: --confirm-queue is none: it is switched off");
}

}  // namespace
}  // namespace inventory::cli
