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
  EXPECT_EQ(with_integer.single()->id, domain::OrderId(123));
  EXPECT_EQ(with_integer.single()->product, 1);
  EXPECT_EQ(with_integer.single()->quantity, 2);
  const auto with_string =
      read_order(R"({"quantity":1,"order_id":"123","product_id":1,"x":[]})", kOrderBytesMax);
  ASSERT_TRUE(with_string.order);
  EXPECT_EQ(with_string.single()->id, domain::OrderId("123"));
}

TEST(OrderMessage, RepeatsTheOrderIdInItsTypeAndTheRequestAsItCame) {
  const std::string body =
      R"( {"order_id":"q\"\u00e9", "product_id":1,"quantity":2,"x":1E+2,"y":[1e400]} )";
  const auto message = read_order(body, kOrderBytesMax);
  EXPECT_EQ(order_reply(message, {.outcome = Outcome::accepted}),
            R"({"order_id":"q\"é","success":true,"message":"Inventory updated","order_data":)"
            R"({"order_id":"q\"\u00e9", "product_id":1,"quantity":2,"x":1E+2,"y":[1e400]}})");
}

TEST(OrderMessage, SaysEachOutcomeInTheContractsWords) {
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
    return message.single()->line;
  };
  EXPECT_EQ(line_of("2"), domain::OrderId(2));
  EXPECT_EQ(line_of("\"2\""), domain::OrderId("2"));
  EXPECT_EQ(line_of("null"), std::nullopt);
  EXPECT_EQ(read_order(kValid, kOrderBytesMax).single()->line, std::nullopt);
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
  EXPECT_EQ(order->id, message.single()->id);
  EXPECT_EQ(order->product, 7);
}

TEST(OrderOfReply, IsNothingWhereTheReplyHoldsNoOrder) {
  EXPECT_FALSE(order_of_reply(invalid_order_reply(read_order("?", 1000), "no JSON")));
  EXPECT_FALSE(order_of_reply(R"({"id":7,"success":true})"));
  EXPECT_FALSE(order_of_reply(R"({,"order_data":)"));
  EXPECT_FALSE(order_of_reply(""));
}

std::string with_items(std::string_view items) {
  return R"({"order_id":"A-17","items":)" + std::string(items) + "}";
}

TEST(OrderMessage, ReadsAnOrderOfSeveralItemsAndAddsUpAProductThatOccursTwice) {
  const auto body = with_items(
      R"([{"product_id":1,"quantity":2,"x":{"quantity":9}},{"product_id":5,"quantity":1},)"
      R"({"quantity":3,"product_id":1}])");
  const auto message = read_order(body, kOrderBytesMax);
  ASSERT_NE(message.basket(), nullptr);
  EXPECT_EQ(message.basket()->items, (std::vector<domain::OrderItem>{{1, 5}, {5, 1}}));
  EXPECT_EQ(message.single(), nullptr);
}

TEST(OrderMessage, NamesTheItemThatIsNotValid) {
  const std::string array = "items must be an array of 1 to 100 objects";
  EXPECT_EQ(order_error(with_items("[]")), array);
  EXPECT_EQ(order_error(with_items("7")), array);
  EXPECT_EQ(order_error(with_items("{}")), array);
  EXPECT_EQ(order_error(with_items(R"([{"product_id":1,"quantity":1},7])")), array);
  EXPECT_EQ(order_error(with_items(R"([[{"product_id":1,"quantity":1}]])")), array);
  EXPECT_EQ(order_error(with_items(R"([{"product_id":1,"quantity":1},{"product_id":1}])")),
            "items[1]: quantity is missing");
  EXPECT_EQ(order_error(with_items(R"([{"product_id":"1","quantity":1}])")),
            "items[0]: product_id must be an integer between 1 and 9007199254740991");
  EXPECT_EQ(order_error(with_items(R"([{"product_id":1,"quantity":9007199254740991},)"
                                   R"({"product_id":1,"quantity":1}])")),
            "items: the quantities of product 1 add up to more than 9007199254740991");
  const std::string beside = "items stands in place of product_id and quantity, not beside them";
  EXPECT_EQ(order_error(R"({"order_id":1,"product_id":1,"items":[]})"), beside);
  EXPECT_EQ(order_error(R"({"order_id":1,"quantity":1,"items":[]})"), beside);
  EXPECT_EQ(order_error(with_items(R"([{"product_id":1,"quantity":1},"x"])")), array);
  EXPECT_EQ(order_error(R"({"order_id":1,"product_id":null,"quantity":null,)"
                        R"("items":[{"product_id":1,"quantity":1}]})"),
            "no error")
      << "null is none";
  std::string many = "[";
  for (int i = 1; i <= 101; ++i)
    many += R"({"product_id":)" + std::to_string(i) + R"(,"quantity":1},)";
  many.back() = ']';
  EXPECT_EQ(order_error(with_items(many)), array);
}

TEST(OrderMessage, CountsTheLastItemsWhereTheyOccurTwice) {
  const auto twice = read_order(
      R"({"items":[{"product_id":1,"quantity":1}],"order_id":1,"items":[{"product_id":2,"quantity":1}]})",
      kOrderBytesMax);
  ASSERT_NE(twice.basket(), nullptr);
  EXPECT_EQ(twice.basket()->items, (std::vector<domain::OrderItem>{{2, 1}}));
  EXPECT_NE(order_error(R"({"items":[{"product_id":1,"quantity":1}],"order_id":1,"items":7})"),
            "no error");
}

TEST(OrderMessage, SaysWhichItemsStoodInTheWay) {
  const auto body = with_items(R"([{"product_id":1,"quantity":2},{"product_id":5,"quantity":1}])");
  const auto message = read_order(body, kOrderBytesMax);
  const auto reply = [&](const domain::BasketDecision& decision) {
    return basket_reply(message, decision);
  };
  const std::string data = R"("order_data":)" + body;
  const std::string rejected = R"({"order_id":"A-17","success":false,"message":")";
  EXPECT_EQ(reply({Outcome::accepted}),
            R"({"order_id":"A-17","success":true,"message":"Inventory updated",)" + data + "}");
  EXPECT_EQ(reply({.outcome = Outcome::not_enough_stock, .in_the_way = {{5, 0}}}),
            rejected + R"(Not enough inventory",)" + data +
                R"(,"items":[{"product_id":5,"available":0}]})");
  EXPECT_EQ(
      reply({.outcome = Outcome::product_not_found, .in_the_way = {{1, std::nullopt}, {5, 0}}}),
      rejected + R"(Product not found",)" + data +
          R"(,"items":[{"product_id":1,"available":null},{"product_id":5,"available":0}]})");
  EXPECT_EQ(
      reply({.outcome = Outcome::conflict, .conflicts_with = domain::OrderItem{1, 3}}),
      rejected +
          "Invalid order: order_id A-17 was already decided for product 1 with quantity 3\"," +
          data + "}");
  EXPECT_EQ(reply({.outcome = Outcome::conflict}),
            rejected + "Invalid order: order_id A-17 was already decided for other items\"," +
                data + "}");
}

}  // namespace
}  // namespace inventory::contract
