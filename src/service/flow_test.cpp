#include "service/flow.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/fakes_for_test.h"
#include "service/orders.h"

namespace inventory::service {
namespace {

using amqp::Settlement;
using store::Fault;
using ::testing::ElementsAre;

std::string order(int id) {
  return fmt::format(R"({{"order_id":{},"product_id":1,"quantity":1}})", id);
}

// What a flow tells its observer, in the order in which it does, as words.
class RecordingObserver : public Observer {
 public:
  void connected() override { events.emplace_back("connected"); }
  void disconnected() override { events.emplace_back("disconnected"); }
  void received(std::size_t requests) override { add("received {}", requests); }
  void retried(store::Fault fault) override { add("retried {}", static_cast<int>(fault)); }
  void decided(const Tally& tally, Duration) override {
    add("decided {} {}", fmt::join(tally.decided, ","), tally.replays);
  }
  void published(const Published& messages) override {
    add("published {} {} {} {}", messages.confirmed, messages.returned, messages.given_up,
        messages.rejected);
  }
  void settled(Duration) override { events.emplace_back("settled"); }
  void acknowledged(const Tally&, std::span<const TimePoint> delivered, TimePoint) override {
    add("acknowledged {}", delivered.size());
  }

  std::vector<std::string> events;

 private:
  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    events.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
};

class FlowTest : public ::testing::Test {
 protected:
  FlowTest() {
    store_.view.on_hand[1] = 1'000;
    boost::asio::co_spawn(context_, flow_.run(), [this](const std::exception_ptr& error) {
      ended_ = true;
      EXPECT_EQ(error, nullptr);
    });
  }
  void TearDown() override {
    on_change_ = [] {};  // a test's own variables are gone
    clock_.on_sleep = [] {};
    flow_.stop();
    context_.restart();
    context_.run();
    EXPECT_TRUE(ended_);
  }

  // Runs until nothing more can happen by itself: everything in these tests is ready at once.
  void settle() {
    context_.restart();
    context_.poll();
  }

  boost::asio::io_context context_;
  testing::FakeBroker broker_{context_.get_executor()};
  testing::FakeStore store_;
  testing::FakeClock clock_;
  OrderHandler handler_{{.queue = "orders", .reply_queue = {"replies", true}}, store_, clock_};
  std::function<void()> on_change_ = [] {};
  RecordingObserver observer_;
  Flow flow_{context_.get_executor(),
             {.queue = "orders", .batch_max = 10},
             broker_,
             handler_,
             store_,
             clock_,
             [this] { on_change_(); },
             observer_};
  bool ended_ = false;
};

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

TEST_F(FlowTest, AcknowledgesNothingOfABatchWhoseRepliesAreNotConfirmed) {
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
  EXPECT_EQ(broker_.published().size(), 6U);  // two of them twice, always the same
  EXPECT_EQ(broker_.published()[0].body, broker_.published()[2].body);
  EXPECT_EQ(store_.view.on_hand[1], 996);
}

TEST_F(FlowTest, PublishesAgainWhatTheBrokerRejects) {
  int tries = 0;
  broker_.on_publish = [&](const amqp::Message&) {
    return ++tries < 4 ? Settlement::rejected : Settlement::confirmed;
  };
  broker_.put(order(1));
  settle();
  EXPECT_EQ(tries, 4);
  EXPECT_EQ(broker_.opened(), 1);
  EXPECT_EQ(broker_.acknowledged(), 1U);
}

TEST_F(FlowTest, WaitsForAQueueOfItsOwnThatRejectsWithoutAnsweringTwice) {
  int tries = 0;
  Status while_rejected;
  clock_.on_sleep = [&] { while_rejected = flow_.status(); };
  broker_.on_publish = [&](const amqp::Message& message) {
    return message.routing_key == "orders.dlq" && ++tries < 50 ? Settlement::rejected
                                                               : Settlement::confirmed;
  };
  broker_.put("not a request");
  settle();
  EXPECT_EQ(tries, 50);
  EXPECT_EQ(while_rejected.condition, Condition::rejected);
  EXPECT_EQ(while_rejected.reason, "queue orders.dlq rejects messages");
  EXPECT_EQ(broker_.published().size(), 2U);
  EXPECT_EQ(broker_.opened(), 1);
  EXPECT_EQ(broker_.acknowledged(), 1U);
  EXPECT_TRUE(flow_.is_consuming());
}

TEST_F(FlowTest, DoesNotWaitForARejectingQueueWhenItIsStopped) {
  broker_.on_publish = [&](const amqp::Message&) {
    flow_.stop();
    return Settlement::rejected;
  };
  broker_.put(order(1));
  settle();
  EXPECT_TRUE(ended_);
  EXPECT_EQ(broker_.acknowledged(), 0U);
}

TEST_F(FlowTest, GivesUpAReplyThatAClientsQueueKeepsRejectingAndAnswersTheOthers) {
  int tries = 0;
  broker_.on_publish = [&](const amqp::Message& message) {
    return message.routing_key == "full" ? (++tries, Settlement::rejected) : Settlement::confirmed;
  };
  broker_.put(order(1), "full");
  broker_.put(order(2));
  settle();
  EXPECT_EQ(tries, 10);
  EXPECT_EQ(broker_.acknowledged(), 2U);

  broker_.put(order(3), "full");
  settle();
  EXPECT_EQ(tries, 10 + 5) << "it is known by now";
  EXPECT_EQ(broker_.acknowledged(), 3U);
  EXPECT_EQ(broker_.opened(), 1) << "nothing is delivered again for it";
}

TEST_F(FlowTest, TriesAQueueThatTookAReplyAgainAsOftenAsAnyOther) {
  int tries = 0;
  bool is_full = true;
  broker_.on_publish = [&](const amqp::Message&) {
    return ++tries, is_full ? Settlement::rejected : Settlement::confirmed;
  };
  broker_.put(order(1), "client");
  settle();
  is_full = false;
  broker_.put(order(2), "client");
  settle();
  is_full = true;
  tries = 0;
  broker_.put(order(3), "client");
  settle();
  EXPECT_EQ(tries, 10);
}

TEST_F(FlowTest, FindsTheAddressThatMakesTheBrokerCloseTheConnectionAndAnswersTheOthers) {
  broker_.on_publish = [&](const amqp::Message& message) -> amqp::Result<Settlement> {
    if (message.routing_key == "amq.rabbitmq.reply-to.x.y") {
      return std::unexpected(amqp::Error{amqp::Fault::link_lost, "INTERNAL_ERROR", 541});
    }
    return Settlement::confirmed;
  };
  broker_.put(order(1));
  broker_.put(order(2), "amq.rabbitmq.reply-to.x.y");
  broker_.put(order(3));
  settle();
  EXPECT_EQ(broker_.acknowledged(), 3U);
  EXPECT_LE(broker_.opened(), 5);
  broker_.put(order(4), "amq.rabbitmq.reply-to.x.y");
  const int opened = broker_.opened();
  settle();
  EXPECT_EQ(broker_.acknowledged(), 4U);
  EXPECT_EQ(broker_.opened(), opened);
}

// What closed the connection may have been something else: a channel's crash at the broker.
TEST_F(FlowTest, GivesNoReplyUpBecauseTheBrokerClosedTheConnectionOnItsQueueNowAndThen) {
  int failures = 0;
  broker_.on_publish = [&](const amqp::Message& message) -> amqp::Result<Settlement> {
    if (message.routing_key == "honest" && ++failures % 5 != 0) {
      return std::unexpected(amqp::Error{amqp::Fault::link_lost, "INTERNAL_ERROR", 541});
    }
    return Settlement::confirmed;
  };
  for (int id = 0; id < 3; ++id) {
    broker_.put(order(id), "honest");
    settle();
  }
  EXPECT_EQ(broker_.acknowledged(), 3U);
  EXPECT_EQ(broker_.published().size(), 3U);
}

TEST_F(FlowTest, GivesAQueueUpOnWhichTheBrokerAlwaysClosesTheConnection) {
  broker_.on_publish = [&](const amqp::Message& message) -> amqp::Result<Settlement> {
    if (message.routing_key == "harmful") {
      return std::unexpected(amqp::Error{amqp::Fault::link_lost, "INTERNAL_ERROR", 541});
    }
    return Settlement::confirmed;
  };
  broker_.put(order(1), "harmful");
  broker_.put(order(2));
  settle();
  EXPECT_EQ(broker_.acknowledged(), 2U);
  EXPECT_EQ(broker_.published().back().routing_key, "replies");
}

TEST_F(FlowTest, LeavesOutADeadLettersBodyIfItIsTooLargeForTheBroker) {
  broker_.on_publish = [&](const amqp::Message& message) -> amqp::Result<Settlement> {
    if (message.body.size() > 1'000) {
      return std::unexpected(amqp::Error{amqp::Fault::refused, "message size", 406});
    }
    return Settlement::confirmed;
  };
  broker_.put(std::string(2'000, 'x'));
  broker_.put(order(1));
  settle();
  EXPECT_EQ(broker_.acknowledged(), 2U);
  const auto letter =
      std::ranges::find(broker_.published(), "orders.dlq", &amqp::Message::routing_key);
  ASSERT_NE(letter, broker_.published().end());
  EXPECT_EQ(letter->body, "");
  EXPECT_EQ(letter->properties.headers->find_string("body-dropped"), "2000 bytes");
}

// The broker's max_message_size may lie between a request and its reply.
TEST_F(FlowTest, GivesUpAReplyThatIsTooLargeForTheBrokerButNotItsQueue) {
  broker_.on_publish = [&](const amqp::Message& message) -> amqp::Result<Settlement> {
    if (message.body.size() > 1'000) {
      return std::unexpected(amqp::Error{amqp::Fault::refused, "message size", 406});
    }
    return Settlement::confirmed;
  };
  for (const char* reply_to : {"", "a client's queue"}) {
    const int id = static_cast<int>(broker_.acknowledged());
    const std::string note(950, 'x');
    broker_.put(order(id), reply_to);
    broker_.put(
        fmt::format(R"({{"order_id":{},"product_id":1,"quantity":1,"note":"{}"}})", id + 1, note),
        reply_to);
    broker_.put(order(id + 2), reply_to);
    settle();
  }
  EXPECT_EQ(broker_.acknowledged(), 6U);
  EXPECT_EQ(store_.view.on_hand[1], 994);
  EXPECT_LE(broker_.opened(), 8);
  EXPECT_EQ(broker_.published().back().routing_key, "a client's queue");
}

// A broker may allow only small frames, less than what a request's headers and ours take.
TEST_F(FlowTest, LeavesOutADeadLettersHeadersIfTheyDoNotFitInAFrame) {
  broker_.on_publish = [&](const amqp::Message& message) {
    const bool fits = message.routing_key != "orders.dlq" ||
                      !message.properties.headers->find_entry("headers-dropped").empty();
    return fits ? Settlement::confirmed : Settlement::too_large;
  };
  broker_.put("not a request");
  settle();
  EXPECT_EQ(broker_.published().size(), 2U);
  EXPECT_EQ(broker_.opened(), 1);
  EXPECT_EQ(broker_.acknowledged(), 1U);
}

TEST_F(FlowTest, AcknowledgesARequestWhoseClientHasGone) {
  broker_.on_publish = [](const amqp::Message&) { return Settlement::returned; };
  broker_.put(order(1), "a client's queue");
  settle();
  EXPECT_EQ(broker_.opened(), 1);
  EXPECT_EQ(broker_.acknowledged(), 1U);
}

TEST_F(FlowTest, OpensTheLinkAgainIfAQueueOfItsOwnIsGone) {
  int dead_letters = 0;
  broker_.on_publish = [&](const amqp::Message& message) {
    if (message.routing_key == "orders.dlq" && ++dead_letters == 1) {
      return Settlement::returned;
    }
    return Settlement::confirmed;
  };
  broker_.put("not a request");
  settle();
  EXPECT_EQ(dead_letters, 2);
  EXPECT_EQ(broker_.opened(), 2);
  EXPECT_EQ(broker_.acknowledged(), 1U);
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
  EXPECT_EQ(observer_.events,
            (std::vector<std::string>{"connected", "received 6", "decided 1,1,1,1,0,1,0,0 1",
                                      "published 6 1 0 0", "settled", "acknowledged 6"}));
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
  EXPECT_EQ(count("published 0 0 0 1"), tries - 1);
  EXPECT_EQ(count("published 0 0 1 0"), 1);
  EXPECT_EQ(count("connected"), count("disconnected") + 1);
  EXPECT_EQ(observer_.events.back(), "acknowledged 1");
}

TEST_F(FlowTest, CountsAReplyThatItGivesUpOnceHoweverOftenTheRequestComesAgain) {
  int losses = 3;
  broker_.on_publish = [&losses](const amqp::Message& message) -> amqp::Result<Settlement> {
    if (message.routing_key == "amq.rabbitmq.reply-to.x.y") {
      return std::unexpected(amqp::Error{amqp::Fault::link_lost, "INTERNAL_ERROR", 541});
    }
    if (message.routing_key == "late" && losses-- > 0) {
      return std::unexpected(amqp::Error{amqp::Fault::link_lost, "connection reset"});
    }
    return Settlement::confirmed;
  };
  broker_.put(order(1), "amq.rabbitmq.reply-to.x.y");
  broker_.put(order(2), "late");
  settle();
  EXPECT_EQ(std::ranges::count(observer_.events, "published 0 0 1 0"), 1);
  EXPECT_EQ(losses, -1);
  EXPECT_EQ(broker_.acknowledged(), 2U);
}

}  // namespace
}  // namespace inventory::service
