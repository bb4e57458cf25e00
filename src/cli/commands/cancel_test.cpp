#include "cli/commands/cancel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/order_request.h"
#include "cli/testing/command_lines.h"

namespace inventory::cli {
namespace {

std::string body_of_cancel(const std::vector<std::string>& arguments) {
  return body_of(test::read_by(
      [](const Arguments& given) { return read_order_request(given, Quantities::optional); },
      arguments));
}

TEST(Cancel, NamesTheOrderAndItsItems) {
  EXPECT_EQ(body_of_cancel({"cancel", "--order-id", "A-17", "--product-id", "1"}),
            R"({"order_id":"A-17","product_id":1})");
  EXPECT_EQ(body_of_cancel({"cancel", "--order-id", "7", "--product-id", "1", "--quantity", "2"}),
            R"({"order_id":7,"product_id":1,"quantity":2})");
  EXPECT_EQ(body_of_cancel({"cancel", "--order-id", "7", "--item", "1", "--item", "5:1"}),
            R"({"order_id":7,"items":[{"product_id":1},{"product_id":5,"quantity":1}]})");
}

TEST(Cancel, NeedsAnOrder) {
  EXPECT_EQ(test::error_of({"cancel", "--product-id", "1"}), "cancel: --order-id is missing");
  EXPECT_EQ(test::error_of({"cancel", "--order-id", "1"}),
            "cancel: --product-id or --item is missing");
}

TEST(Cancel, SaysThatItIsSwitchedOff) {
  EXPECT_EQ(
      test::error_of({"cancel", "--order-id", "1", "--product-id", "1", "--cancel-queue", "none"}),
      "cancel: --cancel-queue is none: it is switched off");
}

}  // namespace
}  // namespace inventory::cli
