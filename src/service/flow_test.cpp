#include "service/flow.h"

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/testing/flow_fixture.h"

namespace inventory::service {
namespace {

using amqp::Settlement;
using store::Fault;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::order;

class FlowTest : public testing::FlowOnFakes {};

TEST_F(FlowTest, AnswersAndAcknowledgesEachRequest) {
  settle();
  EXPECT_TRUE(flow_.is_consuming());
  broker_.put(order(1));
  settle();
  ASSERT_EQ(broker_.published().size(), 1U);
  EXPECT_EQ(broker_.published()[0].routing_key, "replies");
  EXPECT_EQ(broker_.acknowledged(), 1U);
}

TEST_F(FlowTest, TakesWhatHasGatheredAsOneBatchAndNoMoreThanItsLimit) {
  for (int id = 0; id < 25; ++id) {
    broker_.put(order(id));
  }
  settle();
  EXPECT_EQ(broker_.batches(), (std::vector<std::size_t>{10, 10, 5}));
  EXPECT_EQ(broker_.published().size(), 25U);
  EXPECT_EQ(broker_.acknowledged(), 25U);
}

TEST_F(FlowTest, AcknowledgesOnlyAfterTheReplyIsSettled) {
  broker_.on_acknowledge = [this] { EXPECT_EQ(broker_.published().size(), 1U); };
  broker_.put(order(1));
  settle();
  EXPECT_EQ(broker_.acknowledged(), 1U);
}

TEST_F(FlowTest, AcknowledgesOfABatchOnlyThoseWhoseRepliesAreConfirmed) {
  int confirmed = 0;
  broker_.on_publish = [&](const amqp::Message&) -> amqp::Result<Settlement> {
    if (++confirmed == 3) {
      EXPECT_EQ(broker_.acknowledged(), 0U);
      return std::unexpected(amqp::Error{amqp::Fault::link_lost, "no confirm in time"});
    }
    return Settlement::confirmed;
  };
  for (int id = 0; id < 4; ++id) {
    broker_.put(order(id));
  }
  settle();
  EXPECT_EQ(broker_.opened(), 2);
  EXPECT_EQ(broker_.acknowledged(), 4U);
  EXPECT_EQ(broker_.published().size(), 4U);  // each once
  EXPECT_EQ(store_.tables.stock[1].quantity, 996);
}

TEST_F(FlowTest, OpensAnotherLinkWhenTheConnectionForRepliesIsLostWhileNothingIsUnderWay) {
  broker_.put(order(1));
  settle();
  broker_.lose_outlets();
  settle();
  EXPECT_EQ(broker_.opened(), 2);
  EXPECT_TRUE(flow_.is_consuming());
  broker_.put(order(2));
  settle();
  EXPECT_EQ(broker_.acknowledged(), 2U);
}

TEST_F(FlowTest, RepeatsABatchUntilTheDatabaseDecides) {
  store_.faults = {Fault::retryable, Fault::link_lost, Fault::in_doubt, Fault::unavailable};
  broker_.put(order(1));
  settle();
  EXPECT_EQ(store_.calls(), 5);
  EXPECT_EQ(broker_.opened(), 1);
  EXPECT_EQ(broker_.acknowledged(), 1U);
  EXPECT_TRUE(flow_.is_consuming());
}

TEST_F(FlowTest, SaysThatRequestsWaitIfSomebodyKeepsARowLocked) {
  store_.faults.assign(1'000, Fault::retryable);
  std::vector<Condition> seen;
  on_change_ = [&] {
    seen.push_back(flow_.status().condition);
    if (seen.back() == Condition::database_unavailable) {
      store_.faults.clear();
    }
  };
  broker_.put(order(1));
  settle();
  EXPECT_THAT(seen, ElementsAre(Condition::consuming, Condition::database_unavailable,
                                Condition::consuming));
  EXPECT_EQ(broker_.opened(), 1);
  EXPECT_EQ(broker_.acknowledged(), 1U);
}

TEST_F(FlowTest, GivesRequestsBackDuringALongOutageAndTakesThemWhenItIsOver) {
  store_.faults.assign(200, Fault::link_lost);
  store_.fail_ready(3);
  broker_.put(order(1));
  settle();
  EXPECT_EQ(broker_.acknowledged(), 1U);
  EXPECT_GE(broker_.opened(), 2);
  EXPECT_LE(broker_.opened(), 12);  // an outage of ten minutes costs few redeliveries
}

// Says that there is always something to be tried beside the batches, and decides nothing.
class IdleHandler : public Handler {
 public:
  Task<Answered> answer(std::vector<amqp::Delivery>) override { co_return Answered(); }
  Task<std::vector<Answer>> try_again() override {
    ++tries;
    co_return std::vector<Answer>();
  }
  std::size_t undecided() const override { return 1; }
  bool is_full() const override { return false; }
  std::optional<std::chrono::steady_clock::time_point> next_try() const override {
    const bool is_due = tries < 100;
    return is_due ? std::optional(std::chrono::steady_clock::time_point()) : std::nullopt;
  }
  std::optional<std::string> suspicion() const override { return std::nullopt; }
  void forget() override {}

  int tries = 0;
};

TEST_F(FlowTest, LeavesOthersTheirTurnWhereATryBesideTheBatchesDecidesNothing) {
  IdleHandler idle;
  Flow flow(context_.get_executor(), {.queue = "idle"}, broker_, idle, store_, clock_, [] {});
  boost::asio::co_spawn(context_, flow.run(), [](const std::exception_ptr&) {});
  const auto began = clock_.steady_now();
  settle();
  EXPECT_EQ(idle.tries, 100);
  EXPECT_GE(clock_.steady_now() - began, std::chrono::seconds(1)) << "each with a pause";
  flow.stop();
  settle();
}

// A full disk, for one: a redelivery each minute would use up a quorum queue's delivery limit.
TEST_F(FlowTest, CostsFewRedeliveriesInALongOutageThatReadinessDoesNotSee) {
  store_.faults.assign(20'000, Fault::unavailable);
  const auto start = clock_.steady_now();
  broker_.put(order(1));
  settle();
  EXPECT_GT(clock_.steady_now() - start, std::chrono::hours(8));
  EXPECT_LT(broker_.opened(), 120);
  EXPECT_EQ(broker_.acknowledged(), 1U);

  store_.faults.assign(100, Fault::unavailable);  // the next outage is another
  const int opened = broker_.opened();
  broker_.put(order(2));
  settle();
  EXPECT_GT(broker_.opened(), opened);
  EXPECT_EQ(broker_.acknowledged(), 2U);
}

TEST_F(FlowTest, SaysWhyItTakesNoRequestsAndThatItTakesThemAgain) {
  store_.fail_ready(1);
  broker_.fail_opens(1);
  std::vector<Status> seen;
  on_change_ = [&] { seen.push_back(flow_.status()); };
  EXPECT_EQ(flow_.status().condition, Condition::starting);
  settle();
  flow_.stop();
  settle();
  EXPECT_THAT(
      seen,
      ElementsAre(
          Status{Condition::database_unavailable, "the database is not ready: database refused"},
          Status{Condition::broker_unavailable, "the broker is not ready: connection refused"},
          Status{Condition::consuming, ""},
          Status{Condition::stopping, "stopping: finishing what is in hand"},
          Status{Condition::stopped, "stopped"}));
}

TEST_F(FlowTest, IsBlockedWhileTheBrokerSaysSo) {
  broker_.on_publish = [&](const amqp::Message&) {
    broker_.say_blocked("low on memory");
    EXPECT_EQ(flow_.status(),
              (Status{Condition::blocked, "the broker takes no messages: low on memory"}));
    broker_.say_blocked({});
    return Settlement::confirmed;
  };
  broker_.put(order(1));
  settle();
  EXPECT_EQ(broker_.acknowledged(), 1U);
  EXPECT_TRUE(flow_.is_consuming());
}

TEST_F(FlowTest, IsNotBlockedAnyMoreOnAnotherLink) {
  bool first = true;
  broker_.on_publish = [&](const amqp::Message&) -> amqp::Result<Settlement> {
    if (!std::exchange(first, false)) {
      return Settlement::confirmed;
    }
    broker_.say_blocked("low on disk");
    return std::unexpected(amqp::Error{amqp::Fault::link_lost, "no heartbeat"});
  };
  broker_.put(order(1));
  settle();
  EXPECT_EQ(broker_.acknowledged(), 1U);
  EXPECT_TRUE(flow_.is_consuming());
}

TEST_F(FlowTest, StaysPausedUntilTheDatabaseDecidesAgain) {
  store_.faults.assign(100, Fault::unavailable);
  std::vector<Condition> seen;
  on_change_ = [&] {
    if (flow_.status().condition == Condition::paused) {
      store_.faults.clear();
      store_.fail_ready(2);
    }
    if (seen.empty() || seen.back() != flow_.status().condition) {
      seen.push_back(flow_.status().condition);
    }
  };
  broker_.put(order(1));
  settle();
  EXPECT_THAT(seen, ElementsAre(Condition::consuming, Condition::database_unavailable,
                                Condition::paused, Condition::consuming));
  EXPECT_EQ(broker_.acknowledged(), 1U);
}

// Those of the batch that failed, and those that wait behind it.
TEST_F(FlowTest, SaysHowManyRequestsItGivesBackWhenItPauses) {
  store_.faults.assign(100, Fault::unavailable);
  std::vector<std::string> seen;
  on_change_ = [&] {
    if (flow_.status().condition == Condition::paused) {
      seen.push_back(flow_.status().reason);
      store_.faults.clear();
    }
  };
  for (int id = 0; id < 25; ++id) {
    broker_.put(order(id));
  }
  settle();
  ASSERT_FALSE(seen.empty());
  EXPECT_THAT(seen.front(), HasSubstr("paused, 25 requests given back"));
  EXPECT_EQ(broker_.acknowledged(), 25U);
}

TEST_F(FlowTest, ConnectsAgainWithGrowingPauses) {
  broker_.fail_opens(20);
  broker_.put(order(1));
  settle();
  EXPECT_EQ(broker_.opened(), 21);
  EXPECT_EQ(broker_.acknowledged(), 1U);
  for (const auto pause : clock_.slept()) {
    EXPECT_LE(pause, std::chrono::seconds(30));
  }
}

TEST_F(FlowTest, OpensAnotherLinkWhenOneIsLost) {
  settle();
  broker_.lose_link();
  broker_.put(order(1));
  settle();
  EXPECT_EQ(broker_.opened(), 2);
  EXPECT_EQ(broker_.acknowledged(), 1U);
}

TEST_F(FlowTest, FinishesWhatItHasReceivedWhenItIsStopped) {
  settle();
  broker_.on_publish = [&](const amqp::Message&) {
    flow_.stop();
    return Settlement::confirmed;
  };
  broker_.put(order(1));
  settle();
  EXPECT_TRUE(ended_);
  EXPECT_EQ(broker_.acknowledged(), 1U);
  EXPECT_FALSE(flow_.is_consuming());
}

TEST_F(FlowTest, DoesNotWaitForAFailingDatabaseWhenItIsStopped) {
  settle();
  store_.faults.assign(1'000'000, Fault::link_lost);
  broker_.put(order(1));
  boost::asio::post(context_, [this] { flow_.stop(); });
  settle();
  EXPECT_TRUE(ended_);
  EXPECT_EQ(broker_.acknowledged(), 0U);
}

TEST_F(FlowTest, RepeatsABatchThatMetAConflictAlsoWhenItIsStopped) {
  broker_.put(order(1));
  clock_.on_sleep = [this] { flow_.stop(); };
  store_.faults = {Fault::retryable, Fault::retryable};
  settle();
  EXPECT_TRUE(ended_);
  EXPECT_EQ(broker_.acknowledged(), 1U);
}

TEST_F(FlowTest, GivesABatchBackThatKeepsMeetingConflictsWhenItIsStopped) {
  broker_.put(order(1));
  clock_.on_sleep = [this] { flow_.stop(); };
  store_.faults.assign(1'000'000, Fault::retryable);
  settle();
  EXPECT_TRUE(ended_);
  EXPECT_EQ(broker_.acknowledged(), 0U);
  EXPECT_LT(store_.calls(), 10);
}

TEST_F(FlowTest, EndsWithWhatIsThrownBesideItsBatches) {
  store_.tables.stock[2].quantity = 1;
  store_.failing = {2};
  store_.on_failing = [this] {
    if (store_.calls() > 3) throw std::logic_error("a bug");
  };
  broker_.put(R"({"order_id":1,"product_id":2,"quantity":1})");
  settle();
  ASSERT_TRUE(ended_);
  const auto error = std::exchange(error_, nullptr);
  EXPECT_THROW(std::rethrow_exception(error), std::logic_error);
}

TEST_F(FlowTest, TellsItsObserverWhatBecameOfABatch) {
  settle();
  broker_.on_publish = [](const amqp::Message& message) {
    return message.routing_key == "gone" ? Settlement::returned : Settlement::confirmed;
  };
  broker_.put(order(1));
  broker_.put(order(1));
  broker_.put(R"({"order_id":2,"product_id":2,"quantity":1})");
  broker_.put(R"({"order_id":3,"product_id":1,"quantity":5000})", "gone");
  broker_.put(R"({"order_id":1,"product_id":1,"quantity":2})");
  broker_.put("{}");
  settle();
  const std::string decided =
      "decided 1 accepted, 1 product not found, 1 not enough stock, "
      "1 conflict with an earlier decision, 1 invalid, 1 replays";
  EXPECT_EQ(observer_.events,
            (std::vector<std::string>{"connected", "received 6", decided, "published 6 1 0 0",
                                      "settled", "acknowledged 6"}));
}

TEST_F(FlowTest, TellsItsObserverWhatItRepeatsAndWhatItGivesUp) {
  store_.faults = {Fault::link_lost};
  int tries = 0;
  broker_.on_publish = [&tries](const amqp::Message&) {
    ++tries;
    return Settlement::rejected;
  };
  broker_.put(order(1), "full");
  settle();
  const auto count = [this](const std::string& event) {
    return std::ranges::count(observer_.events, event);
  };
  EXPECT_EQ(count(fmt::format("retried {}", static_cast<int>(Fault::link_lost))), 1);
  EXPECT_EQ(count("published 0 0 0 1"), tries);
  EXPECT_EQ(count("published 0 0 1 0"), 1);
  EXPECT_EQ(count("connected"), count("disconnected") + 1);
  EXPECT_EQ(observer_.events.back(), "acknowledged 1");
}

}  // namespace
}  // namespace inventory::service
