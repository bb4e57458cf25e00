#include "contract/order_message.h"

#include <gtest/gtest.h>

namespace inventory::contract {
namespace {

constexpr std::size_t kOrderBytesMax = 65'536;
constexpr std::string_view kValid = R"({"order_id":123,"product_id":1,"quantity":2})";

using domain::Outcome;

std::string order_error(std::string_view body) {
  const auto message = read_order(body, kOrderBytesMax);
  return message.order ? "no error" : message.order.error().what;
}

TEST(OrderMessage, ReadsAnIntegerAndAStringOrderId) {
  const auto with_integer = read_order(kValid, kOrderBytesMax);
  ASSERT_TRUE(with_integer.order);
  EXPECT_EQ(with_integer.order->id, domain::OrderId(123));
  EXPECT_EQ(with_integer.order->product, 1);
  EXPECT_EQ(with_integer.order->quantity, 2);
  const auto with_string =
      read_order(R"({"quantity":1,"order_id":"123","product_id":1,"x":[]})", kOrderBytesMax);
  ASSERT_TRUE(with_string.order);
  EXPECT_EQ(with_string.order->id, domain::OrderId("123"));
}

TEST(OrderMessage, RepeatsTheOrderIdInItsTypeAndTheRequestAsItCame) {
  const std::string body =
      R"( {"order_id":"q\"\u00e9", "product_id":1,"quantity":2,"x":1E+2,"y":[1e400]} )";
  const auto message = read_order(body, kOrderBytesMax);
  EXPECT_EQ(order_reply(message, {.outcome = Outcome::accepted}),
            R"({"order_id":"q\"é","success":true,"message":"Inventory updated","order_data":)"
            R"({"order_id":"q\"\u00e9", "product_id":1,"quantity":2,"x":1E+2,"y":[1e400]}})");
}

TEST(OrderMessage, SaysEachVerdictInTheContractsWords) {
  const auto message = read_order(kValid, kOrderBytesMax);
  const auto reply = [&](domain::OrderDecision decision) { return order_reply(message, decision); };
  const std::string data = R"("order_data":)" + std::string(kValid) + "}";
  EXPECT_EQ(reply({.outcome = Outcome::accepted}),
            R"({"order_id":123,"success":true,"message":"Inventory updated",)" + data);
  EXPECT_EQ(reply({.outcome = Outcome::product_not_found}),
            R"({"order_id":123,"success":false,"message":"Product not found",)" + data);
  EXPECT_EQ(reply({.outcome = Outcome::not_enough_stock}),
            R"({"order_id":123,"success":false,"message":"Not enough inventory",)" + data);
  EXPECT_EQ(reply({.outcome = Outcome::accepted, .replayed = false, .conflicts_with = 3}),
            R"({"order_id":123,"success":false,"message":"Invalid order: order_id 123 was already )"
            R"(decided for product 1 with quantity 3",)" +
                data);
}

TEST(OrderMessage, AnswersAReplayWordForWord) {
  const auto message = read_order(kValid, kOrderBytesMax);
  EXPECT_EQ(order_reply(message, {.outcome = Outcome::not_enough_stock, .replayed = true}),
            order_reply(message, {.outcome = Outcome::not_enough_stock}));
}

TEST(OrderMessage, NamesTheMemberThatIsWrong) {
  EXPECT_EQ(order_error("{}"), "order_id is missing");
  EXPECT_EQ(order_error(R"({"order_id":1})"), "product_id is missing");
  EXPECT_EQ(order_error(R"({"order_id":1,"product_id":1})"), "quantity is missing");
  for (const auto* id : {"null", "true", "1.0", "\"\"", "[]", "{}", "9007199254740992"}) {
    EXPECT_EQ(order_error(std::string(R"({"product_id":1,"quantity":1,"order_id":)") + id + "}"),
              "order_id must be an integer between -9007199254740991 and 9007199254740991, or a "
              "string of 1 to 128 bytes")
        << id;
  }
  for (const auto* number : {"0", "-1", "2.0", "\"2\"", "true", "null", "9007199254740992"}) {
    EXPECT_EQ(
        order_error(std::string(R"({"order_id":1,"quantity":1,"product_id":)") + number + "}"),
        "product_id must be an integer between 1 and 9007199254740991");
    EXPECT_EQ(
        order_error(std::string(R"({"order_id":1,"product_id":1,"quantity":)") + number + "}"),
        "quantity must be an integer between 1 and 9007199254740991");
  }
  EXPECT_EQ(order_error(R"({"order_id":"a\u0000b","product_id":1,"quantity":1})"),
            "order_id must not contain the character NUL");
}

TEST(OrderMessage, EchoesHalfOfASurrogatePairButStoresNone) {
  const std::string echoed = R"({"order_id":1,"product_id":1,"quantity":1,"note":"gift \ud83d"})";
  const auto message = read_order(echoed, kOrderBytesMax);
  ASSERT_TRUE(message.order);
  EXPECT_EQ(
      order_reply(message, {.outcome = Outcome::accepted}),
      R"({"order_id":1,"success":true,"message":"Inventory updated","order_data":)" + echoed + "}");
  const auto stored =
      read_order(R"({"order_id":"a\ud83d","product_id":1,"quantity":1})", kOrderBytesMax);
  ASSERT_FALSE(stored.order);
  EXPECT_FALSE(stored.order_id);
  EXPECT_EQ(
      stored.order.error().what,
      R"(order_id must not contain half of a surrogate pair, such as \ud83d, or the character )"
      "NUL");
  EXPECT_EQ(read_order(R"({"order_id":"a","product_id":0,"x":"\ude00"})", kOrderBytesMax).order_id,
            domain::OrderId("a"));
}

TEST(OrderMessage, ReadsALineIdThatIsOptional) {
  const auto line_of = [](const std::string& line) {
    const auto message = read_order(
        R"({"order_id":1,"product_id":1,"quantity":1,"line_id":)" + line + "}", kOrderBytesMax);
    EXPECT_TRUE(message.order) << line;
    return message.order->line;
  };
  EXPECT_EQ(line_of("2"), domain::OrderId(2));
  EXPECT_EQ(line_of("\"2\""), domain::OrderId("2"));
  EXPECT_EQ(line_of("null"), std::nullopt);
  EXPECT_EQ(read_order(kValid, kOrderBytesMax).order->line, std::nullopt);
  for (const auto* line : {"true", "1.0", "\"\"", "[]", "9007199254740992"}) {
    EXPECT_EQ(order_error(std::string(R"({"order_id":1,"product_id":1,"quantity":1,"line_id":)") +
                          line + "}"),
              "line_id must be an integer between -9007199254740991 and 9007199254740991, or a "
              "string of 1 to 128 bytes")
        << line;
  }
}

TEST(OrderMessage, NamesTheLineOfAConflict) {
  const auto message =
      read_order(R"({"order_id":"A","product_id":1,"quantity":1,"line_id":"b"})", kOrderBytesMax);
  const auto reply =
      order_reply(message, {.outcome = Outcome::accepted, .replayed = false, .conflicts_with = 3});
  EXPECT_TRUE(reply.contains("order_id A, line_id b was already decided for product 1")) << reply;
}

TEST(OrderMessage, BoundsAStringOrderIdInBytes) {
  const auto with_id = [](const std::string& id) {
    return order_error(R"({"product_id":1,"quantity":1,"order_id":")" + id + "\"}");
  };
  EXPECT_EQ(with_id(std::string(128, 'x')), "no error");
  EXPECT_NE(with_id(std::string(129, 'x')), "no error");
  EXPECT_NE(with_id(std::string(127, 'x') + "é"), "no error");
}

TEST(OrderMessage, KeepsAValidOrderIdAndTheObjectOfAnInvalidRequest) {
  const std::string body = R"({"order_id":"a","product_id":0})";
  const auto message = read_order(body, kOrderBytesMax);
  ASSERT_FALSE(message.order);
  EXPECT_EQ(invalid_order_reply(message, message.order.error().what),
            R"({"order_id":"a","success":false,"message":"Invalid order: product_id must be an )"
            R"(integer between 1 and 9007199254740991","order_data":)" +
                body + "}");
}

TEST(OrderMessage, AnswersABodyThatIsNoObjectWithNulls) {
  const auto message = read_order("[1]", kOrderBytesMax);
  EXPECT_EQ(invalid_order_reply(message, message.order.error().what),
            R"({"order_id":null,"success":false,"message":"Invalid order: body is not a JSON )"
            R"(object","order_data":null})");
}

TEST(OrderMessage, DoesNotLookAtABodyThatIsTooLarge) {
  const std::string body = std::string(kValid) + std::string(kOrderBytesMax - kValid.size(), ' ');
  EXPECT_TRUE(read_order(body, kOrderBytesMax).order);
  const auto message = read_order(body + " ", kOrderBytesMax);
  ASSERT_FALSE(message.order);
  EXPECT_EQ(message.order.error().reason, RequestError::Reason::too_large);
  EXPECT_EQ(message.order.error().what, "body of 65537 bytes is larger than 65536");
  EXPECT_TRUE(message.object.empty());
}

TEST(OrderOfReply, IsTheOrderThatTheReplyAnswers) {
  const auto message = read_order(
      R"({"order_id":",\"order_data\":{","product_id":7,"quantity":2,"order_data":1})", 1000);
  ASSERT_TRUE(message.order);
  const auto order = order_of_reply(order_reply(message, {domain::Outcome::accepted}));
  ASSERT_TRUE(order);
  EXPECT_EQ(order->id, message.order->id);
  EXPECT_EQ(order->product, 7);
}

TEST(OrderOfReply, IsNothingWhereTheReplyHoldsNoOrder) {
  EXPECT_FALSE(order_of_reply(invalid_order_reply(read_order("?", 1000), "no JSON")));
  EXPECT_FALSE(order_of_reply(R"({"id":7,"success":true})"));
  EXPECT_FALSE(order_of_reply(R"({,"order_data":)"));
  EXPECT_FALSE(order_of_reply(""));
}

}  // namespace
}  // namespace inventory::contract
