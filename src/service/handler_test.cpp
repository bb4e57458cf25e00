#include "service/handler.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "service/items.h"
#include "service/orders.h"
#include "service/testing/fakes.h"

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

amqp::Delivery order_for(int id, int product) {
  return delivery(fmt::format(R"({{"order_id":{},"product_id":{},"quantity":1}})", id, product));
}

class HandlerTest : public ::testing::Test {
 protected:
  Answered answer_all(Handler& handler, std::vector<amqp::Delivery> deliveries) {
    for (amqp::Delivery& delivery : deliveries) delivery.delivery_tag = ++last_tag_;
    Answered answered = run(handler.answer(std::move(deliveries)));
    for (auto next = handler.next_try(); next && *next <= clock_.steady_now();
         next = handler.next_try()) {
      std::ranges::move(run(handler.try_again()), std::back_inserter(answered.answers));
    }
    return answered;
  }
  std::vector<Answer> answer(Handler& handler, std::vector<amqp::Delivery> deliveries) {
    auto answered = answer_all(handler, std::move(deliveries));
    EXPECT_FALSE(answered.outage) << answered.outage->what;
    return std::move(answered.answers);
  }

  template <class T>
  T run(Task<T> task) {
    context_.restart();
    auto result = boost::asio::co_spawn(context_, std::move(task), boost::asio::use_future);
    while (result.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      context_.run_one();  // others may still wait
    }
    return result.get();
  }

  boost::asio::io_context context_;
  FakeStore store_;
  FakeClock clock_;
  std::uint64_t last_tag_ = 0;
  OrderHandler orders_{
      {.queue = "orders", .reply_queue = {"replies", true}, .bytes_max = 100, .aside_max = 20},
      store_,
      clock_};
  ItemHandler items_{
      {.queue = "items", .reply_queue = {"item replies", false}, .bytes_max = 100}, store_, clock_};
};

TEST_F(HandlerTest, AnswersEachDeliveryInItsPlaceValidOrNot) {
  store_.tables.stock[1].quantity = 1;
  const std::vector deliveries{delivery("?"), order_delivery(1), delivery("{}"), order_delivery(2)};
  const auto answers = answer(orders_, deliveries);
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_TRUE(
      answers[0].reply->message.body.contains("Invalid order: body cannot be read as JSON"));
  EXPECT_TRUE(answers[1].reply->message.body.contains("Inventory updated"));
  EXPECT_TRUE(answers[2].reply->message.body.contains("Invalid order: order_id is missing"));
  EXPECT_TRUE(answers[3].reply->message.body.contains("Not enough inventory"));
  EXPECT_TRUE(answers[0].dead_letter);
  EXPECT_FALSE(answers[1].dead_letter);
  EXPECT_TRUE(answers[2].dead_letter);
  EXPECT_FALSE(answers[3].dead_letter);
}

TEST_F(HandlerTest, DoesNotAskTheStoreForABatchWithoutAValidRequest) {
  EXPECT_EQ(answer(orders_, {delivery("?")}).size(), 1U);
  EXPECT_EQ(store_.calls(), 0);
}

TEST_F(HandlerTest, RefusesWhatIsForAnotherPartition) {
  OrderHandler third{{.queue = "orders",
                      .reply_queue = {"replies", true},
                      .partition = domain::Partition{.number = 3, .count = 4}},
                     store_,
                     clock_};
  store_.tables.stock[7].quantity = 1;
  const auto answers =
      answer(third, {order_for(1, 5), order_for(2, 7),
                     delivery(R"({"order_id":3,"items":[{"product_id":7,"quantity":1},)"
                              R"({"product_id":8,"quantity":1}]})"),
                     delivery(R"({"order_id":4,"items":[{"product_id":4,"quantity":1},)"
                              R"({"product_id":8,"quantity":1}]})")});
  ASSERT_EQ(answers.size(), 4U);
  const auto says = [&](std::size_t i, std::string_view text) {
    return answers[i].reply->message.body.contains(text);
  };
  EXPECT_TRUE(says(0, "Invalid order: product 5 is in partition 1 of 4, this is 3"));
  EXPECT_TRUE(says(1, "Inventory updated"));
  EXPECT_TRUE(says(2,
                   "Invalid order: its items lie in different partitions; hold and confirm them "
                   "one by one"));
  EXPECT_TRUE(says(3, "Invalid order: product 4 is in partition 0 of 4, this is 3"));
  EXPECT_EQ(answers[0].dead_letter->message.properties.headers->find_string("error-reason"),
            "invalid");
  EXPECT_FALSE(answers[1].dead_letter);
}

TEST_F(HandlerTest, RefusesAnIdThatIsAnotherPartitions) {
  ItemHandler third{{.queue = "items",
                     .reply_queue = {"item replies", false},
                     .partition = domain::Partition{.number = 3, .count = 4}},
                    store_,
                    clock_};
  const auto answers = answer(third, {delivery(R"({"quantity":1,"product_id":8})"),
                                      delivery(R"({"quantity":1,"product_id":11})")});
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_TRUE(answers[0].reply->message.body.contains(
      "Invalid item: product 8 is in partition 0 of 4, this is 3"));
  EXPECT_TRUE(answers[1].reply->message.body.contains(R"("success":true)"));
}

TEST_F(HandlerTest, NamesTheReasonOfADeadLetter) {
  const auto answers = answer(orders_, {delivery("?"), delivery(std::string(101, ' '))});
  const auto reason = [&](std::size_t i) {
    return answers[i].dead_letter->message.properties.headers->find_string("error-reason");
  };
  EXPECT_EQ(reason(0), "invalid");
  EXPECT_EQ(reason(1), "too-large");
}

TEST_F(HandlerTest, MarksAReplayAndRepeatsItsReplyWordForWord) {
  store_.tables.stock[1].quantity = 1;
  const auto first = answer(orders_, {order_delivery(1)});
  const auto second = answer(orders_, {order_delivery(1)});
  EXPECT_EQ(first[0].reply->message.body, second[0].reply->message.body);
  EXPECT_FALSE(first[0].reply->message.properties.headers);
  EXPECT_TRUE(second[0].reply->message.properties.headers);
}

TEST_F(HandlerTest, AnswersAConflictWithoutADeadLetter) {
  store_.tables.stock[1].quantity = 5;
  const auto answers = answer(
      orders_, {order_delivery(1), delivery(R"({"order_id":1,"product_id":1,"quantity":2})")});
  EXPECT_TRUE(answers[1].reply->message.body.contains(
      "Invalid order: order_id 1 was already decided for product 1 with quantity 1"));
  EXPECT_FALSE(answers[1].dead_letter);
  EXPECT_FALSE(answers[1].reply->message.properties.headers);
}

TEST_F(HandlerTest, FindsTheRequestsThatTheStoreRefusesAndDecidesTheOthers) {
  store_.tables.stock[1].quantity = 100;
  store_.poison = {"3", "6"};
  std::vector<amqp::Delivery> deliveries;
  deliveries.reserve(9);
  for (int id = 0; id < 9; ++id) {
    deliveries.push_back(order_delivery(id));
  }
  const auto answers = answer(orders_, deliveries);
  for (std::size_t id = 0; id < 9; ++id) {
    const bool poison = id == 3 || id == 6;
    EXPECT_EQ(answers[id].dead_letter.has_value(), poison) << id;
    EXPECT_TRUE(answers[id].reply->message.body.contains(
        poison ? "Invalid order: the database refuses it" : "Inventory updated"));
    EXPECT_TRUE(answers[id].reply->message.body.contains(fmt::format(R"("order_id":{})", id)));
  }
  EXPECT_EQ(store_.tables.stock[1].quantity, 93);
}

TEST_F(HandlerTest, KeepsWhatAnOutageLeavesUndecidedAndTriesItWhenItIsCalledAgain) {
  store_.tables.stock[1].quantity = 5;
  store_.faults = {store::Fault::in_doubt, store::Fault::unavailable};
  auto answered = answer_all(orders_, {order_delivery(1), delivery("?")});
  ASSERT_TRUE(answered.outage);
  EXPECT_EQ(answered.outage->fault, store::Fault::in_doubt);
  EXPECT_EQ(answered.answers.size(), 1U) << "what is invalid needs no database";
  EXPECT_EQ(orders_.undecided(), 1U);
  answered = answer_all(orders_, {});
  ASSERT_TRUE(answered.outage);
  EXPECT_EQ(answered.outage->fault, store::Fault::unavailable);
  answered = answer_all(orders_, {order_delivery(2)});
  ASSERT_FALSE(answered.outage);
  ASSERT_EQ(answered.answers.size(), 2U);
  EXPECT_EQ(answered.answers[0].delivery_tag, 1U);
  EXPECT_EQ(store_.tables.stock[1].quantity, 3);
}

TEST_F(HandlerTest, ForgetsWhatWillBeDeliveredAgain) {
  store_.faults = {store::Fault::link_lost};
  (void)answer_all(orders_, {order_delivery(1)});
  orders_.forget();
  EXPECT_EQ(orders_.undecided(), 0U);
  EXPECT_TRUE(answer(orders_, {}).empty());
}

TEST_F(HandlerTest, PutsAsideWhatFailsAndDecidesTheOthers) {
  for (int product = 1; product <= 3; ++product) store_.tables.stock[product].quantity = 10;
  store_.failing = {2};
  std::vector<amqp::Delivery> deliveries;
  deliveries.reserve(9);
  for (int id = 0; id < 9; ++id) deliveries.push_back(order_for(id, id % 3 + 1));
  EXPECT_EQ(answer(orders_, std::move(deliveries)).size(), 6U);
  EXPECT_EQ(orders_.undecided(), 3U);
  EXPECT_EQ(store_.tables.stock[2].quantity, 10);
  EXPECT_TRUE(orders_.next_try());

  // The next for product 2 waits behind them, others go on.
  EXPECT_EQ(answer(orders_, {order_for(9, 2), order_for(10, 1)}).size(), 1U);
  store_.failing.clear();
  clock_.pass(std::chrono::seconds(20));
  const auto answers = answer(orders_, {});
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_TRUE(std::ranges::is_sorted(answers, {}, &Answer::delivery_tag));
  EXPECT_EQ(store_.tables.stock[2].quantity, 6);
  EXPECT_FALSE(orders_.next_try());
}

TEST_F(HandlerTest, DecidesRequestsForAProductInTheOrderInWhichTheyCameAlsoAfterAFailure) {
  store_.tables.stock[1].quantity = 1;
  store_.failing = {1};
  EXPECT_TRUE(answer(orders_, {order_for(1, 1)}).empty());
  store_.failing.clear();
  EXPECT_TRUE(answer(orders_, {order_for(2, 1)}).empty()) << "it overtakes the first";
  clock_.pass(std::chrono::seconds(1));
  const auto answers = answer(orders_, {order_for(3, 1)});
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(answers[0].outcome, Outcome::accepted);
  EXPECT_EQ(answers[1].outcome, Outcome::not_enough_stock);
}

TEST_F(HandlerTest, WaitsForALockOnceAndThenSkipsWhatSomebodyKeepsLocked) {
  store_.tables.stock[1].quantity = store_.tables.stock[2].quantity = 100;
  store_.locked = {2};
  EXPECT_EQ(answer(orders_, {order_for(1, 1), order_for(2, 2), order_for(3, 1)}).size(), 2U);
  const int waits = store_.waits_for_locks();
  for (int id = 4; id < 8; ++id) {
    clock_.pass(std::chrono::milliseconds(100));
    EXPECT_EQ(answer(orders_, {order_for(id, 1)}).size(), 1U);
  }
  EXPECT_EQ(store_.waits_for_locks(), waits);
  store_.locked = {2, 3};
  EXPECT_EQ(answer(orders_, {order_for(8, 1), order_for(9, 3)}).size(), 1U);
  EXPECT_EQ(store_.waits_for_locks(), waits) << "others wait for each row that somebody keeps";
  EXPECT_EQ(store_.brief_waits_for_locks(), 1);
  store_.locked.clear();
  clock_.pass(std::chrono::seconds(5));
  EXPECT_EQ(answer(orders_, {}).size(), 2U);
}

// Another instance may be the next in the queue for it, each time.
TEST_F(HandlerTest, AwaitsALockNowAndThenThatItAlwaysFindsTaken) {
  store_.locked = {2};
  for (int i = 0; i < 20; ++i) {
    (void)answer_all(orders_,
                     i == 0 ? std::vector{order_for(1, 2)} : std::vector<amqp::Delivery>());
    clock_.pass(std::chrono::seconds(5));
  }
  EXPECT_GE(store_.waits_for_locks(), 3);
  EXPECT_LE(store_.waits_for_locks(), 5);
}

TEST_F(HandlerTest, DeadLettersWhatFailsForMinutesWhileOthersPass) {
  store_.tables.stock[1].quantity = store_.tables.stock[2].quantity = 1'000;
  store_.failing = {2};
  EXPECT_TRUE(answer(orders_, {order_for(1, 2), order_for(2, 2)}).empty());
  std::vector<Answer> refused;
  for (int second = 0; second < 200; ++second) {
    clock_.pass(std::chrono::seconds(1));
    for (Answer& one : answer(orders_, {order_for(100 + second, 1)})) {
      if (one.dead_letter) refused.push_back(std::move(one));
    }
    if (second < 178) {
      EXPECT_TRUE(refused.empty()) << second;
    }
  }
  ASSERT_EQ(refused.size(), 2U);
  EXPECT_EQ(refused[0].outcome, Outcome::refused);
  EXPECT_EQ(refused[0].dead_letter->message.properties.headers->find_string("error-reason"),
            "refused");
  EXPECT_TRUE(refused[0].reply->message.body.contains("Invalid order: the database refuses it"));
  EXPECT_EQ(orders_.undecided(), 0U);
}

TEST_F(HandlerTest, DeadLettersNothingWhileNothingPasses) {
  store_.failing = {1, 2, 3};
  EXPECT_TRUE(answer(orders_, {order_for(1, 1), order_for(2, 2), order_for(3, 3)}).empty());
  EXPECT_FALSE(orders_.suspicion());
  for (int minute = 0; minute < 60; ++minute) {
    clock_.pass(std::chrono::minutes(1));
    EXPECT_TRUE(answer(orders_, {}).empty());
  }
  EXPECT_EQ(orders_.suspicion(), "3 requests wait for the database: a trigger says no");
  store_.failing.clear();
  clock_.pass(std::chrono::minutes(1));
  EXPECT_EQ(answer(orders_, {}).size(), 3U);
  EXPECT_FALSE(orders_.suspicion());
}

TEST_F(HandlerTest, MakesRoomForOthersWhereTooManyWaitForAProductThatFails) {
  store_.tables.stock[1].quantity = 1'000;
  store_.failing = {2};
  std::size_t refused = 0;
  for (int id = 0; id < 60; ++id) {
    for (const Answer& one : answer(orders_, {order_for(2 * id, 2), order_for(2 * id + 1, 1)})) {
      refused += one.dead_letter ? 1U : 0U;
    }
    EXPECT_LE(orders_.undecided(), 20U);
    clock_.pass(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(store_.tables.stock[1].quantity, 940);
  EXPECT_EQ(refused, 60U - orders_.undecided());
}

// Each try takes long, so those behind it are not tried one after the other.
TEST_F(HandlerTest, MakesRoomAtOnceWhereABurstForASlowProductIsInTheWay) {
  store_.tables.stock[1].quantity = 1'000;
  store_.failing = {2};
  int tries = 0;
  store_.on_failing = [&] {
    ++tries;
    clock_.pass(std::chrono::seconds(3));
  };
  std::vector<amqp::Delivery> burst;
  burst.reserve(40);
  for (int id = 0; id < 40; ++id) burst.push_back(order_for(10 + id, 2));
  std::size_t refused = answer(orders_, std::move(burst)).size();
  for (int second = 0; second < 60 && orders_.is_full(); ++second) {
    clock_.pass(std::chrono::seconds(1));
    for (const Answer& one : answer(orders_, {order_for(100 + second, 1)})) {
      refused += one.dead_letter ? 1U : 0U;
    }
  }
  EXPECT_FALSE(orders_.is_full());
  EXPECT_GT(refused, 20U);
  EXPECT_LT(tries, 15) << "of 40 orders";
}

TEST_F(HandlerTest, HasNoSuspicionWhereItIsFullWhileOthersPass) {
  const auto pulse = std::make_shared<Pulse>();
  const HandlerOptions options{
      .queue = "orders", .reply_queue = {"replies", true}, .aside_max = 3, .pulse = pulse};
  OrderHandler orders(options, store_, clock_);
  store_.failing = {2};
  EXPECT_TRUE(
      answer(orders, {order_for(1, 2), order_for(2, 2), order_for(3, 2), order_for(4, 2)}).empty());
  EXPECT_TRUE(orders.is_full());
  pulse->beat(clock_.steady_now(), true);
  EXPECT_FALSE(orders.suspicion());
  clock_.pass(std::chrono::seconds(11));
  EXPECT_TRUE(orders.suspicion());
}

// They are in the way of those that would show that the database decides.
TEST_F(HandlerTest, MakesRoomWhereABurstForAProductThatFailsIsAllThatItHolds) {
  store_.tables.stock[1].quantity = 1'000;
  store_.failing = {2};
  EXPECT_TRUE(answer(orders_, {order_for(1, 2)}).empty());
  clock_.pass(std::chrono::milliseconds(1));
  EXPECT_EQ(answer(orders_, {order_for(2, 1)}).size(), 1U);
  clock_.pass(std::chrono::milliseconds(1));
  std::vector<amqp::Delivery> burst;
  burst.reserve(40);
  for (int id = 0; id < 40; ++id) burst.push_back(order_for(10 + id, 2));
  std::size_t refused = answer(orders_, std::move(burst)).size();
  for (int second = 0; second < 20 && orders_.is_full(); ++second) {
    clock_.pass(std::chrono::seconds(1));
    refused += answer(orders_, {}).size();
  }
  EXPECT_FALSE(orders_.is_full());
  EXPECT_EQ(refused, 41U - orders_.undecided());
}

// Nothing else is in hand that could show it: another product is tried.
TEST_F(HandlerTest, MakesRoomWhereAllThatItHoldsFailsAndAnotherProductCanBeSold) {
  store_.tables.stock[1].quantity = 1;
  store_.failing = {2, 3};
  std::vector<amqp::Delivery> burst;
  burst.reserve(40);
  for (int id = 0; id < 40; ++id) burst.push_back(order_for(10 + id, 2 + id % 2));
  std::size_t refused = answer(orders_, std::move(burst)).size();
  EXPECT_EQ(refused, 0U);
  for (int second = 0; second < 60 && orders_.is_full(); ++second) {
    clock_.pass(std::chrono::seconds(1));
    refused += answer(orders_, {}).size();
  }
  EXPECT_FALSE(orders_.is_full());
  EXPECT_EQ(refused, 40U - orders_.undecided());
  EXPECT_EQ(store_.tables.stock[1].quantity, 1);
}

TEST_F(HandlerTest, RefusesNothingWhereNoOtherProductCanBeSold) {
  store_.tables.stock[1].quantity = store_.tables.stock[2].quantity = 10;
  store_.failing = {1, 2, 3};
  std::vector<amqp::Delivery> burst;
  burst.reserve(40);
  for (int id = 0; id < 40; ++id) burst.push_back(order_for(10 + id, 2 + id % 2));
  EXPECT_TRUE(answer(orders_, std::move(burst)).empty());
  for (int minute = 0; minute < 20; ++minute) {
    clock_.pass(std::chrono::minutes(1));
    EXPECT_TRUE(answer(orders_, {}).empty());
  }
  EXPECT_GE(store_.trials(), 10);
  EXPECT_TRUE(orders_.suspicion());
}

// A rejection writes no stock: it passes where the whole table is locked.
TEST_F(HandlerTest, RefusesNothingOfALockedTableWhileOthersAreRejected) {
  for (int product = 1; product <= 40; ++product) store_.tables.stock[product].quantity = 10;
  for (int product = 1; product <= 40; ++product) store_.locked.insert(product);
  std::vector<amqp::Delivery> burst;
  burst.reserve(40);
  for (int id = 1; id <= 40; ++id) burst.push_back(order_for(id, id));
  EXPECT_TRUE(answer(orders_, std::move(burst)).empty());
  for (int second = 0; second < 30; ++second) {
    clock_.pass(std::chrono::seconds(1));
    const auto answers = answer(orders_, {order_for(100 + second, 77)});
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].outcome, Outcome::product_not_found);
  }
  store_.locked.clear();
  std::size_t accepted = 0;
  for (int second = 0; second < 30; ++second) {
    clock_.pass(std::chrono::seconds(1));
    for (const Answer& one : answer(orders_, {order_for(200 + second, 1)})) {
      accepted += one.outcome == Outcome::accepted ? 1U : 0U;
      EXPECT_FALSE(one.dead_letter);
    }
  }
  EXPECT_GE(accepted, 40U);
}

// A lone request of a kind says nothing of the database while it decides others.
TEST_F(HandlerTest, TakesTheDatabaseForSoundWhileItDecidesRequestsOfAnotherKind) {
  const auto pulse = std::make_shared<Pulse>();
  const HandlerOptions options{.queue = "orders", .reply_queue = {"replies", true}, .pulse = pulse};
  OrderHandler orders(options, store_, clock_);
  OrderHandler others(options, store_, clock_);
  store_.tables.stock[1].quantity = 1'000;
  store_.failing = {2};
  EXPECT_TRUE(answer(orders, {order_for(1, 2)}).empty());
  std::vector<Answer> answers;
  for (int id = 0; answers.empty() && id < 100; ++id) {
    clock_.pass(std::chrono::seconds(5));
    EXPECT_EQ(answer(others, {order_for(10 + id, 1)}).size(), 1U);
    EXPECT_FALSE(orders.suspicion());
    answers = answer(orders, {});
  }
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_TRUE(answers.front().dead_letter) << "after minutes in which others passed";
}

// What keeps a row locked lets go of it soon, mostly.
TEST_F(HandlerTest, IsFullForMomentsRatherThanRefuseRequestsForALockedProduct) {
  store_.tables.stock[1].quantity = 1'000;
  store_.locked = {2};
  for (int id = 0; id < 20; ++id) {
    EXPECT_FALSE(orders_.is_full());
    clock_.pass(std::chrono::milliseconds(1));
    EXPECT_EQ(answer(orders_, {order_for(2 * id, 2), order_for(2 * id + 1, 1)}).size(), 1U);
  }
  EXPECT_TRUE(orders_.is_full());
  EXPECT_EQ(store_.tables.stock[1].quantity, 980);
  clock_.pass(kLockedMaxInTheWay);
  const auto answers = answer(orders_, {});
  EXPECT_EQ(answers.size(), 5U) << "others wait for room";
  EXPECT_TRUE(answers.at(0).dead_letter);
  EXPECT_FALSE(orders_.is_full());
}

TEST_F(HandlerTest, DecidesOthersWhileOneIsTriedAgainForLong) {
  store_.tables.stock[1].quantity = store_.tables.stock[2].quantity = 10;
  store_.failing = {2};
  EXPECT_TRUE(answer(orders_, {order_for(1, 2)}).empty());
  store_.failing.clear();
  store_.held = {2};
  store_.hold = std::make_unique<testing::Event>(context_.get_executor());
  clock_.pass(std::chrono::seconds(1));
  auto again = boost::asio::co_spawn(context_, orders_.try_again(), boost::asio::use_future);
  context_.restart();
  context_.poll();
  EXPECT_FALSE(orders_.next_try()) << "it is being tried";
  EXPECT_EQ(answer(orders_, {order_for(2, 2), order_for(3, 1)}).size(), 1U);
  EXPECT_EQ(store_.tables.stock[1].quantity, 9);
  store_.held.clear();
  store_.hold->notify();
  context_.restart();
  context_.run();
  EXPECT_EQ(again.get().size(), 1U);
  EXPECT_EQ(answer(orders_, {}).size(), 1U) << "the next for its product";
  EXPECT_EQ(store_.tables.stock[2].quantity, 8);
}

// A statement that takes too long would cost all as much again for each half.
TEST_F(HandlerTest, LooksBesideTheFlowForWhatTakesTooLongToFail) {
  for (int product = 1; product <= 4; ++product) store_.tables.stock[product].quantity = 10;
  store_.failing = {3};
  store_.on_failing = [this] { clock_.pass(std::chrono::seconds(15)); };
  std::vector<amqp::Delivery> deliveries;
  deliveries.reserve(8);
  for (int id = 0; id < 8; ++id) deliveries.push_back(order_for(id, id % 4 + 1));
  for (auto& one : deliveries) one.delivery_tag = ++last_tag_;
  const auto begun = clock_.steady_now();
  EXPECT_TRUE(run(orders_.answer(std::move(deliveries))).answers.empty());
  EXPECT_LE(clock_.steady_now() - begun, std::chrono::seconds(30));
  EXPECT_EQ(answer(orders_, {}).size(), 6U);
  EXPECT_EQ(orders_.undecided(), 2U);
}

// A trigger may raise what otherwise is a chance.
TEST_F(HandlerTest, FindsTheRequestThatAlwaysMeetsAConflict) {
  store_.tables.stock[1].quantity = store_.tables.stock[2].quantity = 10;
  store_.conflicting = {2};
  auto answered = answer_all(orders_, {order_for(1, 1), order_for(2, 2), order_for(3, 1)});
  int tries = 1;
  for (; answered.outage && tries < 20; ++tries) {
    EXPECT_EQ(answered.outage->fault, store::Fault::retryable);
    answered = answer_all(orders_, {});
  }
  EXPECT_LT(tries, 12);
  EXPECT_EQ(answered.answers.size(), 2U);
  clock_.pass(std::chrono::seconds(1));
  EXPECT_EQ(answer(orders_, {order_for(4, 1)}).size(), 1U) << "it stops nobody any more";
  store_.conflicting.clear();
  clock_.pass(std::chrono::seconds(20));
  EXPECT_EQ(answer(orders_, {}).size(), 1U);
}

TEST_F(HandlerTest, AnswersAndDeadLettersWhatCannotBeDecoded) {
  amqp::Delivery bad = order_delivery(1);
  bad.undecodable = "undefined property flag 0x0002";
  const auto answers = answer(orders_, {bad});
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_TRUE(answers[0].reply->message.body.contains(
      "the message cannot be decoded: undefined property flag 0x0002"));
  ASSERT_TRUE(answers[0].dead_letter);
  EXPECT_EQ(answers[0].dead_letter->message.body, bad.body);
  EXPECT_EQ(store_.calls(), 0);
}

TEST_F(HandlerTest, RefusesWhatTheRouterCouldNotDecode) {
  amqp::Delivery passed_on = order_delivery(1);
  passed_on.properties.headers.emplace().add_string("content-undecodable", "undefined flag");
  amqp::Delivery strange = order_delivery(2);
  strange.properties.headers.emplace().add_string("content-undecodable", "\xff");
  const auto answers = answer(orders_, {passed_on, strange});
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_TRUE(answers[0].reply->message.body.contains("cannot be decoded: undefined flag"));
  EXPECT_TRUE(answers[1].reply->message.body.contains("cannot be decoded: unknown"));
  EXPECT_TRUE(answers[0].dead_letter && answers[1].dead_letter);
  EXPECT_EQ(store_.calls(), 0);
}

TEST_F(HandlerTest, AddsAnItemOnceForAMessageIdAndSaysSo) {
  amqp::Delivery request = delivery(R"({"quantity":10,"description":"a"})");
  request.properties.message_id = "m";
  const auto first = answer(items_, {request});
  const auto second = answer(items_, {request});
  EXPECT_TRUE(first[0].reply->message.body.contains(R"("id":1,)"));
  EXPECT_EQ(first[0].reply->message.body, second[0].reply->message.body);
  EXPECT_TRUE(second[0].reply->message.properties.headers);
  EXPECT_EQ(first[0].reply->message.routing_key, "item replies");
}

TEST_F(HandlerTest, AnswersAnIdentityThatWasUsedForAnotherItemWithoutADeadLetter) {
  amqp::Delivery request = delivery(R"({"quantity":10,"description":"a"})");
  request.properties.message_id = "m";
  answer(items_, {request});
  request.body = R"({"quantity":11,"description":"a"})";
  const auto answers = answer(items_, {request});
  EXPECT_TRUE(
      answers[0].reply->message.body.contains(R"("success":false,"message":"Invalid item: )"));
  EXPECT_EQ(answers[0].outcome, Outcome::conflict);
  EXPECT_FALSE(answers[0].dead_letter);
  EXPECT_FALSE(answers[0].reply->message.properties.headers);
}

}  // namespace
}  // namespace inventory::service
