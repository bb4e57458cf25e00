#include "service/handler.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "service/fakes_for_test.h"
#include "service/items.h"
#include "service/orders.h"

namespace inventory::service {
namespace {

using testing::FakeClock;
using testing::FakeStore;

amqp::Delivery order_delivery(int id) {
  amqp::Delivery delivery;
  delivery.body = fmt::format(R"({{"order_id":{},"product_id":1,"quantity":1}})", id);
  return delivery;
}

amqp::Delivery delivery(std::string body) {
  amqp::Delivery result;
  result.body = std::move(body);
  return result;
}

class HandlerTest : public ::testing::Test {
 protected:
  store::Result<std::vector<Answer>> answer(Handler& handler,
                                            const std::vector<amqp::Delivery>& deliveries) {
    context_.restart();
    auto result =
        boost::asio::co_spawn(context_, handler.answer(deliveries), boost::asio::use_future);
    context_.run();
    return result.get();
  }

  boost::asio::io_context context_;
  FakeStore store_;
  FakeClock clock_;
  OrderHandler orders_{
      {.queue = "orders", .reply_queue = {"replies", true}, .bytes_max = 100}, store_, clock_};
  ItemHandler items_{
      {.queue = "items", .reply_queue = {"item replies", false}, .bytes_max = 100}, store_, clock_};
};

TEST_F(HandlerTest, AnswersEachDeliveryInItsPlaceValidOrNot) {
  store_.view.on_hand[1] = 1;
  const std::vector deliveries{delivery("?"), order_delivery(1), delivery("{}"), order_delivery(2)};
  const auto answers = answer(orders_, deliveries);
  ASSERT_TRUE(answers);
  ASSERT_EQ(answers->size(), 4U);
  EXPECT_TRUE(
      (*answers)[0].reply.message.body.contains("Invalid order: body cannot be read as JSON"));
  EXPECT_TRUE((*answers)[1].reply.message.body.contains("Inventory updated"));
  EXPECT_TRUE((*answers)[2].reply.message.body.contains("Invalid order: order_id is missing"));
  EXPECT_TRUE((*answers)[3].reply.message.body.contains("Not enough inventory"));
  EXPECT_TRUE((*answers)[0].dead_letter);
  EXPECT_FALSE((*answers)[1].dead_letter);
  EXPECT_TRUE((*answers)[2].dead_letter);
  EXPECT_FALSE((*answers)[3].dead_letter);
}

TEST_F(HandlerTest, DoesNotAskTheStoreForABatchWithoutAValidRequest) {
  ASSERT_TRUE(answer(orders_, {delivery("?")}));
  EXPECT_EQ(store_.calls(), 0);
}

TEST_F(HandlerTest, NamesTheReasonOfADeadLetter) {
  const auto answers = answer(orders_, {delivery("?"), delivery(std::string(101, ' '))});
  const auto reason = [&](std::size_t i) {
    return (*answers)[i].dead_letter->message.properties.headers->find_string("error-reason");
  };
  EXPECT_EQ(reason(0), "invalid");
  EXPECT_EQ(reason(1), "too-large");
}

TEST_F(HandlerTest, MarksAReplayAndRepeatsItsReplyWordForWord) {
  store_.view.on_hand[1] = 1;
  const auto first = answer(orders_, {order_delivery(1)});
  const auto second = answer(orders_, {order_delivery(1)});
  EXPECT_EQ((*first)[0].reply.message.body, (*second)[0].reply.message.body);
  EXPECT_FALSE((*first)[0].reply.message.properties.headers);
  EXPECT_TRUE((*second)[0].reply.message.properties.headers);
}

TEST_F(HandlerTest, AnswersAConflictWithoutADeadLetter) {
  store_.view.on_hand[1] = 5;
  const auto answers = answer(
      orders_, {order_delivery(1), delivery(R"({"order_id":1,"product_id":1,"quantity":2})")});
  EXPECT_TRUE((*answers)[1].reply.message.body.contains(
      "Invalid order: order_id 1 was already decided for product 1 with quantity 1"));
  EXPECT_FALSE((*answers)[1].dead_letter);
  EXPECT_FALSE((*answers)[1].reply.message.properties.headers);
}

TEST_F(HandlerTest, FindsTheRequestsThatTheStoreRefusesAndDecidesTheOthers) {
  store_.view.on_hand[1] = 100;
  store_.poison = {"3", "6"};
  std::vector<amqp::Delivery> deliveries;
  deliveries.reserve(9);
  for (int id = 0; id < 9; ++id) {
    deliveries.push_back(order_delivery(id));
  }
  const auto answers = answer(orders_, deliveries);
  ASSERT_TRUE(answers);
  for (std::size_t id = 0; id < 9; ++id) {
    const bool poison = id == 3 || id == 6;
    EXPECT_EQ((*answers)[id].dead_letter.has_value(), poison) << id;
    EXPECT_TRUE((*answers)[id].reply.message.body.contains(
        poison ? "Invalid order: the database refuses it" : "Inventory updated"));
    EXPECT_TRUE((*answers)[id].reply.message.body.contains(fmt::format(R"("order_id":{})", id)));
  }
  EXPECT_EQ(store_.view.on_hand[1], 93);
}

TEST_F(HandlerTest, AnswersNothingIfTheStoreFails) {
  store_.faults = {store::Fault::in_doubt};
  const auto answers = answer(orders_, {order_delivery(1), delivery("?")});
  ASSERT_FALSE(answers);
  EXPECT_EQ(answers.error().fault, store::Fault::in_doubt);
}

TEST_F(HandlerTest, AddsAnItemOnceForAMessageIdAndSaysSo) {
  amqp::Delivery request = delivery(R"({"quantity":10,"description":"a"})");
  request.properties.message_id = "m";
  const auto first = answer(items_, {request});
  const auto second = answer(items_, {request});
  EXPECT_TRUE((*first)[0].reply.message.body.contains(R"("id":1,)"));
  EXPECT_EQ((*first)[0].reply.message.body, (*second)[0].reply.message.body);
  EXPECT_TRUE((*second)[0].reply.message.properties.headers);
  EXPECT_EQ((*first)[0].reply.message.routing_key, "item replies");
}

}  // namespace
}  // namespace inventory::service
