#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/order_request.h"
#include "cli/testing/command_lines.h"

namespace inventory::cli {
namespace {

using domain::OrderId;

OrderRequest order_of(const std::vector<std::string>& arguments) {
  return test::read_by(
      [](const Arguments& given) { return read_order_request(given, Quantities::required); },
      arguments);
}

TEST(Order, HasAProductAQuantityAndAnId) {
  const auto order = order_of(
      {"order", "--product-id", "1", "--quantity", "2", "--order-id", "123", "--timeout", "1"});
  EXPECT_EQ(body_of(order), R"({"order_id":123,"product_id":1,"quantity":2})");
  EXPECT_EQ(order.timeout, std::chrono::seconds(1));
}

TEST(Order, TakesANegativeIdInEitherSpelling) {
  for (const std::vector<std::string>& id :
       {std::vector<std::string>{"--order-id", "-7"}, {"--order-id=-7"}}) {
    std::vector<std::string> arguments{"order", "--product-id", "1", "--quantity", "2"};
    arguments.insert(arguments.end(), id.begin(), id.end());
    EXPECT_EQ(order_of(arguments).order_id, OrderId(-7));
  }
}

TEST(Order, GetsANewUuidWhereNoIdIsGiven) {
  const std::vector<std::string> arguments{"order", "--product-id", "1", "--quantity", "2"};
  const auto one = order_of(arguments).order_id;
  const auto two = order_of(arguments).order_id;
  EXPECT_THAT(
      std::get<std::string>(one.value()),
      testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"));
  EXPECT_NE(one, two);
}

TEST(Order, HasSeveralItemsAndALine) {
  EXPECT_EQ(body_of(order_of(
                {"order", "--order-id", "A-17", "--line-id", "4", "--item", "1:2", "--item=5:1"})),
            R"({"order_id":"A-17","line_id":4,"items":[{"product_id":1,"quantity":2},)"
            R"({"product_id":5,"quantity":1}]})");
}

TEST(Order, SaysWhatAnItemIs) {
  for (const char* item : {"", "1", ":", "1:", ":2", "0:1", "1:0", "1:2:3", "1:+2", "a:b"}) {
    EXPECT_EQ(test::error_of({"order", "--item", item}),
              fmt::format("order: --item takes a product and its quantity, such as 1:2; not \"{}\"",
                          item));
  }
  EXPECT_THAT(test::error_of({"order", "--item", "1:2", "--product-id", "1"}),
              testing::HasSubstr("give either"));
  std::vector<std::string> arguments{"order"};
  for (int i = 0; i < 101; ++i) arguments.insert(arguments.end(), {"--item", "1:1"});
  EXPECT_THAT(test::error_of(arguments), testing::HasSubstr("at most 100 items"));
}

TEST(Order, MayHoldStockForATime) {
  for (const auto& [text, seconds] :
       {std::pair("15m", "900"), {"1s", "1"}, {"30d", "2592000"}, {"720h", "2592000"}}) {
    EXPECT_EQ(
        body_of(order_of(
            {"order", "--order-id", "7", "--product-id", "1", "--quantity", "2", "--hold", text})),
        fmt::format(R"({{"order_id":7,"product_id":1,"quantity":2,"hold_seconds":{}}})", seconds));
  }
  EXPECT_EQ(body_of(order_of({"order", "--order-id", "7", "--item", "1:2", "--hold", "90s"})),
            R"({"order_id":7,"items":[{"product_id":1,"quantity":2}],"hold_seconds":90})");
}

TEST(Order, SaysForHowLongItMayHold) {
  const auto error_of_hold = [](const char* text) {
    return test::error_of({"order", "--item", "1:2", "--hold", text});
  };
  for (const char* text : {"0s", "31d", "2592001s"}) {
    EXPECT_EQ(error_of_hold(text),
              fmt::format("order: --hold takes a time from 1s to 30d; not \"{}\"", text));
  }
  for (const char* text : {"", "900", "m", "-1m", "soon"}) {
    EXPECT_EQ(error_of_hold(text),
              fmt::format("order: --hold takes a number with a unit, such as 90s, 5m, 2h or 7d; "
                          "not \"{}\"",
                          text));
  }
}

TEST(Order, SaysWhatItsOptionsTake) {
  EXPECT_EQ(test::error_of({"order", "--quantity", "1"}),
            "order: --product-id or --item is missing");
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
