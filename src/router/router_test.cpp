#include "router/router.h"

#include <algorithm>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "router/testing/fake_reserves.h"
#include "service/testing/fakes.h"

namespace inventory::router {
namespace {

using amqp::Settlement;
using service::Condition;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::uint32_t kPartitionCount = 4;
constexpr std::size_t kPrefetch = 40;  // so a partition's share is 5

std::string order(int id, int product) {
  return fmt::format(R"({{"order_id":{},"product_id":{},"quantity":1}})", id, product);
}

Choose choose_for(std::string_view kind) {
  return std::ranges::find(routed_kinds(), kind, &RoutedKind::name)->choose;
}

// A router of orders over a broker and a clock that are not real. What it publishes to a queue of
// its own can be read there.
class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    broker_.on_publish = [this](const amqp::Message& message) -> amqp::Result<Settlement> {
      const std::string& queue = message.routing_key;
      if (const auto does = queues_.find(queue); does != queues_.end()) {
        auto settlement = does->second(message);
        if (!settlement || *settlement != Settlement::confirmed) return settlement;
      }
      amqp::Delivery delivery;
      delivery.properties = message.properties;
      delivery.body = message.body;
      if (queue.ends_with(".waiting")) reserves_.put(queue, std::move(delivery));
      arrived_[queue].push_back(message.body);
      return Settlement::confirmed;
    };
    boost::asio::co_spawn(context_, router_.run(), [this](const std::exception_ptr& error) {
      ended_ = true;
      error_ = error;
    });
  }
  void TearDown() override {
    clock_.on_sleep = [] {};
    router_.stop();
    context_.restart();
    context_.run();
    EXPECT_TRUE(ended_);
    EXPECT_EQ(error_, nullptr);
  }

  // Runs until nothing more can happen by itself.
  void settle() {
    context_.restart();
    context_.poll();
  }

  // Runs until `when` holds: time passes as soon as nothing else happens.
  void settle_until(const std::function<bool()>& when) {
    std::size_t turns = 0;
    context_.restart();
    while (!when() && ++turns < 100'000) context_.poll_one();
    ASSERT_TRUE(when());
  }

  std::vector<std::string> orders(int first, int last, int product) {
    std::vector<std::string> bodies;
    for (int id = first; id <= last; ++id) bodies.push_back(order(id, product));
    return bodies;
  }

  void put(int first, int last, int product) {
    for (auto& body : orders(first, last, product)) broker_.put(std::move(body));
  }

  // As another router, or an earlier run, leaves orders for partition 1.
  void leave(int first, int last) {
    for (int id = first; id <= last; ++id) {
      amqp::Delivery left;
      left.body = order(id, 1);
      reserves_.put("orders.1.waiting", left);
    }
  }

  void reject(const std::string& queue) {
    queues_[queue] = [](const auto&) { return Settlement::rejected; };
  }

  std::size_t passed(std::uint32_t partition) { return router_.passages()[partition]->passed(); }

  boost::asio::io_context context_;
  service::testing::FakeBroker broker_{context_.get_executor()};
  testing::FakeReserves reserves_{context_.get_executor()};
  service::testing::FakeClock clock_;
  std::map<std::string, std::function<amqp::Result<Settlement>(const amqp::Message&)>> queues_;
  std::map<std::string, std::vector<std::string>> arrived_;
  Router router_{context_.get_executor(),
                 {.queue = "orders",
                  .choose = choose_for("order"),
                  .partitions = kPartitionCount,
                  .prefetch = kPrefetch},
                 broker_,
                 reserves_,
                 clock_,
                 [] {}};
  bool ended_ = false;
  std::exception_ptr error_;
};

TEST_F(RouterTest, PassesEachToItsPartitionAndAcknowledges) {
  put(1, 3, 5);
  put(4, 5, 2);
  broker_.put("not a request");
  settle();
  EXPECT_EQ(arrived_["orders.1"], orders(1, 3, 5));
  EXPECT_EQ(arrived_["orders.2"], orders(4, 5, 2));
  EXPECT_THAT(arrived_["orders.0"], ElementsAre("not a request"));
  EXPECT_EQ(broker_.acknowledged(), 6U);
  EXPECT_EQ(passed(1), 3U);
  EXPECT_TRUE(router_.is_consuming());
  EXPECT_EQ(router_.note(), "");
}

TEST_F(RouterTest, AcknowledgesOnlyWhatIsConfirmed) {
  broker_.silent = {"orders.1"};
  put(1, 2, 1);
  put(3, 4, 2);
  settle_until([&] { return broker_.acknowledged() == 2; });
  EXPECT_EQ(broker_.unacknowledged(), 2U);
  broker_.answer("orders.1", Settlement::confirmed);
  settle_until([&] { return broker_.acknowledged() == 4; });
}

TEST_F(RouterTest, KeepsTheOrderOfWhatIsRejectedAndPassesTheOthers) {
  int tries = 0;
  queues_["orders.1"] = [&](const auto&) {
    return ++tries < 10 ? Settlement::rejected : Settlement::confirmed;
  };
  put(1, 5, 1);
  put(6, 9, 2);
  settle_until([&] { return broker_.acknowledged() == 4; });
  EXPECT_EQ(arrived_["orders.2"], orders(6, 9, 2));
  EXPECT_THAT(router_.note(), HasSubstr("partition 1: queue orders.1: rejects messages"));
  EXPECT_TRUE(router_.is_consuming()) << "others are served";
  settle_until([&] { return broker_.acknowledged() == 9; });
  EXPECT_EQ(arrived_["orders.1"], orders(1, 5, 1));
  EXPECT_EQ(router_.note(), "");
  EXPECT_GE(router_.passages()[1]->retries(), 5U);
}

TEST_F(RouterTest, LetsNoRequestOvertakeAnotherForItsProductOnceItsQueueHasRejected) {
  std::size_t room = 0;  // of the queue: one more with each message that it rejects
  queues_["orders.1"] = [&](const auto&) {
    if (room == 0) {
      ++room;
      return Settlement::rejected;
    }
    --room;
    return Settlement::confirmed;
  };
  broker_.put(order(1, 1));
  settle_until([&] { return broker_.acknowledged() == 1; });
  put(2, 9, 1);
  settle_until([&] { return passed(1) == 9; });
  EXPECT_EQ(arrived_["orders.1"], orders(1, 9, 1));
}

TEST_F(RouterTest, DeclaresAPartitionsQueueThatIsGone) {
  int tries = 0;
  queues_["orders.3"] = [&](const auto&) {
    return ++tries <= 2 ? Settlement::returned : Settlement::confirmed;
  };
  put(1, 4, 3);
  settle_until([&] { return broker_.acknowledged() == 4; });
  EXPECT_EQ(broker_.queues_declared().front(), "orders.3");
  EXPECT_EQ(broker_.opened(), 1);
}

TEST_F(RouterTest, AsksASilentQueueAgainOverAnotherChannel) {
  broker_.silent = {"orders.1"};
  put(1, 3, 1);
  settle_until([&] { return broker_.tries("orders.1") == 3; });
  broker_.put(order(9, 2));
  settle_until([&] { return arrived_["orders.2"].size() == 1; });
  const auto begin = clock_.steady_now();
  broker_.silent.clear();  // what it was sent before is lost
  settle_until([&] { return broker_.acknowledged() == 4; });
  EXPECT_GE(clock_.steady_now() - begin, seconds(5));
  EXPECT_EQ(arrived_["orders.1"], orders(1, 3, 1));
}

TEST_F(RouterTest, SetsAsideWhatAPartitionDoesNotTakeAndPassesItOnInOrder) {
  reject("orders.1");
  put(1, 30, 1);
  put(31, 60, 2);
  settle_until([&] { return arrived_["orders.2"].size() == 30 && broker_.acknowledged() == 60; });
  EXPECT_EQ(arrived_["orders.1.waiting"], orders(1, 30, 1));
  EXPECT_THAT(router_.note(), HasSubstr("its requests wait in orders.1.waiting"));
  EXPECT_THAT(broker_.queues_declared(), ElementsAre("orders.1.waiting"));
  put(61, 70, 1);
  settle_until([&] { return broker_.acknowledged() == 70; });
  queues_.clear();
  broker_.put(order(71, 1));
  settle_until([&] { return arrived_["orders.1"].size() == 71 - 30; });
  auto expected = orders(1, 30, 1);
  for (auto& body : orders(61, 71, 1)) expected.push_back(std::move(body));
  EXPECT_EQ(arrived_["orders.1"], expected);
  settle_until([&] { return broker_.acknowledged() == 71; });
  EXPECT_EQ(reserves_.size("orders.1.waiting"), 0U);
  // Directly again.
  const std::uint64_t set_aside = router_.passages()[1]->set_aside();
  broker_.put(order(72, 1));
  settle_until([&] { return broker_.acknowledged() == 72; });
  EXPECT_EQ(router_.passages()[1]->set_aside(), set_aside);
}

TEST_F(RouterTest, SetsAsideWhatASilentPartitionHoldsForTenSeconds) {
  broker_.silent = {"orders.1"};
  const auto begin = clock_.steady_now();
  put(1, 2, 1);
  settle_until([&] { return broker_.acknowledged() == 2; });
  EXPECT_GE(clock_.steady_now() - begin, seconds(10));
  EXPECT_EQ(arrived_["orders.1.waiting"], orders(1, 2, 1));
  broker_.silent.clear();
  settle_until([&] { return passed(1) == 2; });
  EXPECT_EQ(arrived_["orders.1"], orders(1, 2, 1));
}

TEST_F(RouterTest, IsNotStoppedByASilentPartitionThatFillsThePrefetch) {
  broker_.silent = {"orders.1"};
  put(1, static_cast<int>(kPrefetch), 1);
  const auto begin = clock_.steady_now();
  settle_until([&] { return broker_.acknowledged() == kPrefetch; });
  EXPECT_LT(clock_.steady_now() - begin, seconds(2));
}

TEST_F(RouterTest, PassesOnFirstWhatAnEarlierRunHasLeft) {
  leave(1, 40);
  put(41, 50, 1);
  settle_until([&] { return passed(1) >= 50; });
  EXPECT_EQ(arrived_["orders.1"], orders(1, 50, 1));
  settle_until([&] { return broker_.acknowledged() == 10; });
  EXPECT_EQ(reserves_.size("orders.1.waiting"), 0U);
}

// Of several consumers of the source another one was active: until now it set requests aside.
TEST_F(RouterTest, PassesOnFirstWhatAnotherRouterHasLeftWhenItBecomesTheActiveOne) {
  reserves_.set_consumers(2);
  settle();
  leave(1, 40);
  put(41, 50, 1);
  settle_until([&] { return passed(1) >= 50; });
  EXPECT_EQ(arrived_["orders.1"], orders(1, 50, 1));
  put(51, 55, 1);
  settle_until([&] { return passed(1) >= 55; });
  EXPECT_EQ(reserves_.size("orders.1.waiting"), 0U);
}

TEST_F(RouterTest, PassesOnWhatAnotherRouterHasLeftWhenThatIsGoneThoughNoRequestComes) {
  reserves_.set_consumers(2);
  settle();
  leave(1, 20);
  settle();
  EXPECT_EQ(passed(1), 0U);
  reserves_.set_consumers(1);
  settle_until([&] { return passed(1) == 20; });
  EXPECT_EQ(arrived_["orders.1"], orders(1, 20, 1));
}

TEST_F(RouterTest, PassesNothingByWhatAnotherRouterStillPassesOn) {
  reserves_.locked = {"orders.1.waiting"};
  leave(1, 1);
  put(2, 5, 1);
  put(6, 9, 2);
  const auto begin = clock_.steady_now();
  settle_until([&] { return clock_.steady_now() - begin > seconds(60); });
  EXPECT_THAT(arrived_["orders.1"], IsEmpty());
  EXPECT_EQ(arrived_["orders.2"], orders(6, 9, 2));
  EXPECT_EQ(broker_.acknowledged(), 8U) << "they wait behind it";
  reserves_.locked.clear();
  settle_until([&] { return passed(1) == 5; });
  EXPECT_EQ(arrived_["orders.1"], orders(1, 5, 1));
}

TEST_F(RouterTest, ReadsItsOwnQueueAgainWhenThatFails) {
  reserves_.fail_opens = 2;
  reserves_.fail_next = 3;
  leave(1, 20);
  settle_until([&] { return passed(1) == 20; });
  EXPECT_EQ(arrived_["orders.1"], orders(1, 20, 1));
}

TEST_F(RouterTest, SaysThatItsOwnQueueIsNotRead) {
  reserves_.fail_opens = 3;
  put(1, 5, 1);
  settle_until([&] { return router_.note().contains("orders.1.waiting is not read"); });
  settle_until([&] { return passed(1) == 5; });
  EXPECT_EQ(router_.note(), "");
  EXPECT_EQ(arrived_["orders.1"], orders(1, 5, 1));
}

// As where a policy bounds every queue of the name.
TEST_F(RouterTest, PassesOnAllThoughItsOwnQueueWasFull) {
  reject("orders.1");
  queues_["orders.1.waiting"] = [&](const auto&) {
    return reserves_.size("orders.1.waiting") < 10 ? Settlement::confirmed : Settlement::rejected;
  };
  put(1, 40, 1);
  settle_until([&] { return reserves_.size("orders.1.waiting") == 10; });
  queues_.erase("orders.1");
  settle_until([&] { return passed(1) == 40; });
  EXPECT_EQ(arrived_["orders.1"], orders(1, 40, 1));
}

TEST_F(RouterTest, WaitsForItsOwnQueueWithoutLosingOrder) {
  reject("orders.1");
  reject("orders.1.waiting");
  put(1, 20, 1);
  put(21, 25, 2);
  settle_until([&] { return broker_.acknowledged() == 5; });
  queues_.clear();
  settle_until([&] { return passed(1) == 20; });
  EXPECT_EQ(arrived_["orders.1"], orders(1, 20, 1));
  settle_until([&] { return broker_.acknowledged() == 25; });
}

TEST_F(RouterTest, TakesAgainWhatWasInHandWhenTheLinkIsLost) {
  broker_.silent = {"orders.1"};
  put(1, 3, 1);
  settle_until([&] { return broker_.tries("orders.1") == 3; });
  broker_.silent.clear();
  broker_.lose_link();
  settle_until([&] { return broker_.acknowledged() == 3; });
  EXPECT_EQ(broker_.opened(), 2);
  EXPECT_EQ(arrived_["orders.1"], orders(1, 3, 1));
  EXPECT_GE(reserves_.dropped(), 1);
}

TEST_F(RouterTest, PublishesAgainWhenOnlyTheConnectionThatPublishesIsLost) {
  broker_.silent = {"orders.1"};
  put(1, 3, 1);
  settle_until([&] { return broker_.tries("orders.1") == 3; });
  broker_.silent.clear();
  broker_.lose_outlets();
  settle_until([&] { return broker_.acknowledged() == 3; });
  EXPECT_EQ(broker_.opened(), 1);
}

TEST_F(RouterTest, DeadLettersWhatTheBrokerClosesTheChannelOn) {
  queues_["orders.1"] = [](const amqp::Message& message) -> amqp::Result<Settlement> {
    if (message.body == order(2, 1)) {
      return std::unexpected(amqp::Error{amqp::Fault::refused, "message too large", 406});
    }
    return Settlement::confirmed;
  };
  put(1, 3, 1);
  settle_until([&] { return broker_.acknowledged() == 3; });
  EXPECT_THAT(arrived_["orders.1"], ::testing::Contains(order(1, 1)));
  EXPECT_EQ(arrived_["orders.1"].back(), order(3, 1));
  ASSERT_THAT(broker_.published(),
              ::testing::Contains(::testing::Field(&amqp::Message::routing_key, "orders.dlq")));
  const auto letter =
      std::ranges::find(broker_.published(), "orders.dlq", &amqp::Message::routing_key);
  EXPECT_EQ(letter->properties.headers->find_string("error-reason"), "refused");
  EXPECT_EQ(letter->properties.headers->find_string("original-queue"), "orders");
  EXPECT_EQ(letter->body, "") << "it is too large";
  EXPECT_EQ(router_.dead_lettered(), 1U);
}

TEST_F(RouterTest, DeadLettersWhatDoesNotFitInAFrameAlsoOutOfItsOwnQueue) {
  const auto does_not_fit = [](const amqp::Message& message) -> amqp::Result<Settlement> {
    return message.body == order(2, 1) ? Settlement::too_large : Settlement::confirmed;
  };
  queues_["orders.1"] = does_not_fit;
  leave(1, 3);
  settle_until([&] { return passed(1) == 2 && router_.dead_lettered() == 1; });
  put(4, 4, 1);
  settle_until([&] { return broker_.acknowledged() == 1; });
  EXPECT_EQ(reserves_.size("orders.1.waiting"), 0U);
  EXPECT_THAT(arrived_["orders.dlq"], ElementsAre(order(2, 1)));
}

TEST_F(RouterTest, MakesADeadLetterSmallerThatTheBrokerRefusesToo) {
  queues_["orders.0"] = [](const auto&) { return Settlement::too_large; };
  queues_["orders.dlq"] = [](const amqp::Message& letter) -> amqp::Result<Settlement> {
    const bool is_small = !letter.properties.headers->find_entry("headers-dropped").empty();
    return is_small ? Settlement::confirmed : Settlement::too_large;
  };
  broker_.put("x");
  settle_until([&] { return broker_.acknowledged() == 1; });
  EXPECT_THAT(arrived_["orders.dlq"], ElementsAre("x"));
}

TEST_F(RouterTest, SaysThatTheBrokerIsBlockedAndAsksNoQueueAgainMeanwhile) {
  broker_.silent = {"orders.1"};
  put(1, 1, 1);
  settle_until([&] { return broker_.tries("orders.1") == 1; });
  broker_.say_blocked("low on memory");
  EXPECT_EQ(router_.status().condition, Condition::blocked);
  EXPECT_THAT(router_.status().reason, HasSubstr("low on memory"));
  const auto begin = clock_.steady_now();
  settle_until([&] { return clock_.steady_now() - begin > seconds(60); });
  EXPECT_EQ(broker_.tries("orders.1"), 1U);
  broker_.say_blocked(std::nullopt);
  EXPECT_TRUE(router_.is_consuming());
  broker_.answer("orders.1", Settlement::confirmed);
  settle_until([&] { return broker_.acknowledged() == 1; });
}

TEST_F(RouterTest, TriesAgainUntilTheBrokerIsThere) {
  settle();
  broker_.fail_opens(3);
  broker_.lose_link();
  settle_until([&] { return broker_.opened() == 5; });
  broker_.put(order(1, 1));
  settle_until([&] { return broker_.acknowledged() == 1; });
}

TEST_F(RouterTest, StopsWithoutWaitingForAPartitionThatTakesNothing) {
  reject("orders.1");
  put(1, 3, 1);
  put(4, 5, 2);
  settle_until([&] { return broker_.tries("orders.1") > 0; });
  router_.stop();
  settle_until([&] { return ended_; });
  EXPECT_EQ(arrived_["orders.2"], orders(4, 5, 2));
  EXPECT_EQ(broker_.unacknowledged(), 3U) << "they go back to the source";
}

TEST_F(RouterTest, FinishesWhatIsUnderWayWhenItIsStopped) {
  broker_.silent = {"orders.1"};
  put(1, 3, 1);
  settle_until([&] { return broker_.tries("orders.1") == 3; });
  router_.stop();
  clock_.on_sleep = [&] { broker_.answer("orders.1", Settlement::confirmed); };
  settle_until([&] { return ended_; });
  EXPECT_EQ(broker_.acknowledged(), 3U);
}

TEST_F(RouterTest, CanBeStoppedBeforeItRuns) {
  router_.stop();
  settle();
  EXPECT_TRUE(ended_);
  EXPECT_EQ(router_.status().condition, Condition::stopped);
}

// New items that may have any id.
class ItemRouterTest : public RouterTest {
 protected:
  ItemRouterTest() {
    boost::asio::co_spawn(context_, items_.run(),
                          [this](const std::exception_ptr&) { have_ended_ = true; });
  }
  void TearDown() override {
    items_.stop();
    RouterTest::TearDown();
    EXPECT_TRUE(have_ended_);
  }

  service::testing::FakeBroker source_{context_.get_executor()};
  Router items_{context_.get_executor(),
                {.queue = "items",
                 .choose = choose_for("item"),
                 .partitions = kPartitionCount,
                 .prefetch = kPrefetch,
                 .seed = 7},
                source_,
                reserves_,
                clock_,
                [] {}};
  bool have_ended_ = false;
};

TEST_F(ItemRouterTest, GoInTurnUnlessTheyHaveAnIdentity) {
  for (int i = 0; i < 8; ++i) source_.put(R"({"quantity":1})");
  settle();
  for (const auto& passage : items_.passages()) EXPECT_EQ(passage->passed(), 2U);
  amqp::Delivery named;
  named.body = R"({"quantity":1})";
  named.properties.message_id = "m-1";
  for (int i = 0; i < 5; ++i) source_.put(named);
  settle();
  std::set<std::string> queues;
  for (const auto& message : source_.published()) {
    if (message.properties.message_id) queues.insert(message.routing_key);
  }
  EXPECT_THAT(queues, SizeIs(1));
}

}  // namespace
}  // namespace inventory::router
