#include "contract/cancellation_message.h"

#include <gtest/gtest.h>

namespace inventory::contract {
namespace {

constexpr std::size_t kCancellationBytesMax = 65'536;
constexpr std::string_view kTwoItems =
    R"({"order_id":"A-17","items":[{"product_id":1,"quantity":2},{"product_id":5}]})";

CancellationMessage read_cancellation_of(std::string_view body) {
  return read_cancellation(body, kCancellationBytesMax);
}

std::string cancellation_error(std::string_view body) {
  const auto message = read_cancellation_of(body);
  return message.cancellation ? "no error" : message.cancellation.error().what;
}

TEST(CancellationMessage, TakesAnOrderAsItWasSentAndOneWithoutQuantity) {
  const auto as_sent =
      read_cancellation_of(R"({"order_id":1,"product_id":7,"quantity":2,"line_id":"x"})");
  ASSERT_TRUE(as_sent.cancellation);
  EXPECT_EQ(as_sent.cancellation->items.at(0).quantity, 2);
  EXPECT_EQ(as_sent.cancellation->order_ledger_identity(), "l2:sxi1");
  const auto without = read_cancellation_of(R"({"order_id":1,"product_id":7})");
  ASSERT_TRUE(without.cancellation);
  EXPECT_EQ(without.cancellation->items.at(0).quantity, std::nullopt);
  for (const auto* null : {R"({"order_id":1,"product_id":7,"quantity":null,"items":null})",
                           R"({"order_id":1,"product_id":null,"quantity":null,)"
                           R"("items":[{"product_id":7,"quantity":null}]})"}) {
    const auto message = read_cancellation_of(null);
    ASSERT_TRUE(message.cancellation) << message.cancellation.error().what;
    EXPECT_EQ(message.cancellation->items.at(0).quantity, std::nullopt);
  }
  const auto items = read_cancellation_of(kTwoItems);
  ASSERT_TRUE(items.cancellation);
  EXPECT_EQ(items.cancellation->items.size(), 2U);
}

TEST(CancellationMessage, SaysWhatWasGivenBack) {
  EXPECT_EQ(cancellation_reply(read_cancellation_of(kTwoItems), {.items = {{1, 2}, {5, 0}}}),
            R"({"order_id":"A-17","success":true,"message":"Order cancelled","order_data":)" +
                std::string(kTwoItems) +
                R"(,"items":[{"product_id":1,"quantity":2},{"product_id":5,"quantity":0}]})");
}

TEST(CancellationMessage, SaysWhyNothingWasDone) {
  const std::string begin =
      R"({"order_id":"A-17","success":false,"message":"Invalid cancellation: )";
  const std::string end = R"(","order_data":)" + std::string(kTwoItems) + "}";
  EXPECT_EQ(cancellation_reply(read_cancellation_of(kTwoItems),
                               {.conflicts_with = domain::OrderItem{1, 3}}),
            begin + "order_id A-17 was decided for product 1 with quantity 3" + end);
  EXPECT_EQ(cancellation_reply(read_cancellation_of(kTwoItems), {.beyond_limit = 1}),
            begin + "the stock of product 1 would be more than 9007199254740991" + end);
}

TEST(CancellationMessage, NamesTheMemberThatIsNotValid) {
  EXPECT_EQ(cancellation_error("{}"), "order_id is missing");
  EXPECT_EQ(cancellation_error(R"({"order_id":1})"), "product_id is missing");
  EXPECT_EQ(cancellation_error(R"({"order_id":1,"product_id":1,"quantity":0})"),
            "quantity must be an integer between 1 and 9007199254740991");
  EXPECT_EQ(cancellation_error(R"({"order_id":1,"items":[]})"),
            "items must be an array of 1 to 100 objects");
  EXPECT_EQ(cancellation_error(R"({"order_id":1,"items":[{"quantity":1}]})"),
            "items[0]: product_id is missing");
  EXPECT_EQ(cancellation_error(std::string(kCancellationBytesMax + 1, ' ')),
            "body of 65537 bytes is larger than 65536");
}

}  // namespace
}  // namespace inventory::contract
