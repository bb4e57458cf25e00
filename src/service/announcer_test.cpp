#include "service/announcer.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "service/testing/flow_fixture.h"

namespace inventory::service {
namespace {

using amqp::Settlement;
using std::chrono::seconds;
using testing::order;

// As part of a flow: whether an event is settled shows in what is acknowledged.
class AnnouncerTest : public testing::FlowOnFakes {
 protected:
  AnnouncerTest() : FlowOnFakes(domain::Telling::all) {}

  // Of the events that were confirmed.
  std::vector<std::string> told() const {
    std::vector<std::string> ids;
    for (const auto& message : broker_.published()) {
      if (!message.exchange.empty()) ids.push_back(message.properties.message_id.value_or(""));
    }
    return ids;
  }

  // What the broker does with each event; it takes replies.
  template <class Answer>
  void answer_events(Answer answer) {
    broker_.on_publish = [answer](const amqp::Message& message) -> amqp::Result<Settlement> {
      if (message.exchange.empty()) return Settlement::confirmed;
      return answer(message);
    };
  }
};

using EventIds = std::vector<std::string>;

TEST_F(AnnouncerTest, TellsAProductOnceABatchAndThenAcknowledges) {
  for (int id = 1; id <= 5; ++id) broker_.put(order(id));
  settle();
  EXPECT_EQ(told(), EventIds{"1-5"});
  EXPECT_EQ(broker_.acknowledged(), 5U);
  const auto event = std::ranges::find(broker_.published(), "told", &amqp::Message::exchange);
  EXPECT_EQ(event->routing_key, "stock.in");
  EXPECT_EQ(event->properties.content_type, "application/cloudevents+json");
  EXPECT_EQ(event->properties.delivery_mode, 2);
  EXPECT_FALSE(event->mandatory);
  EXPECT_EQ(broker_.exchanges_declared(), 1);
}

TEST_F(AnnouncerTest, KeepsTheRequestUnacknowledgedUntilItsEventIsConfirmed) {
  broker_.silent = {"stock.in"};
  for (int id = 1; id <= 3; ++id) broker_.put(order(id));
  std::vector<std::size_t> unacknowledged;
  clock_.on_sleep = [&] {
    unacknowledged.push_back(broker_.unacknowledged());
    if (unacknowledged.size() == 5) broker_.answer("stock.in", Settlement::confirmed);
  };
  settle();
  ASSERT_GE(unacknowledged.size(), 5U);
  EXPECT_EQ(unacknowledged[4], 1U) << "the last one, which is recognised if it comes again";
  EXPECT_EQ(broker_.acknowledged(), 3U);
}

TEST_F(AnnouncerTest, TellsAgainWhatComesAgainAsThingsAreNow) {
  broker_.put(order(1));
  bool is_lost = false;
  answer_events([&](const amqp::Message&) {
    is_lost = true;
    broker_.lose_link();  // after the commit, before the event is confirmed
    return std::unexpected(amqp::Error{amqp::Fault::link_lost, "connection reset"});
  });
  clock_.on_sleep = [&] {
    if (!is_lost) return;
    store_.tables.stock[1].version = 9;
    broker_.on_publish = [](const amqp::Message&) { return Settlement::confirmed; };
  };
  settle();
  EXPECT_EQ(told(), EventIds{"1-9"});
  EXPECT_EQ(broker_.acknowledged(), 1U);
}

TEST_F(AnnouncerTest, DeclaresAnExchangeAgainThatIsGone) {
  int tries = 0;
  answer_events([&](const amqp::Message&) -> amqp::Result<Settlement> {
    if (++tries > 1) return Settlement::confirmed;
    return std::unexpected(amqp::Error{amqp::Fault::refused, "no exchange 'told'", 404});
  });
  broker_.put(order(1));
  settle();
  EXPECT_EQ(told(), EventIds{"1-1"});
  EXPECT_EQ(broker_.exchanges_declared(), 2);
  EXPECT_EQ(broker_.opened(), 1) << "nothing is delivered again for it";
  EXPECT_EQ(broker_.acknowledged(), 1U);
}

TEST_F(AnnouncerTest, AnswersAndSaysWhyWhileAnExchangeMayNotBeUsed) {
  Status while_refused;
  std::size_t answered = 0;
  int tries = 0;
  clock_.on_sleep = [&] {
    if (flow_.status().condition == Condition::consuming) return;
    while_refused = flow_.status();
    answered = broker_.published().size();
  };
  answer_events([&](const amqp::Message&) -> amqp::Result<Settlement> {
    if (++tries > 10) return Settlement::confirmed;
    return std::unexpected(amqp::Error{amqp::Fault::refused, "access refused", 403});
  });
  for (int id = 1; id <= 3; ++id) broker_.put(order(id));
  settle();
  EXPECT_EQ(while_refused.condition, Condition::rejected);
  EXPECT_EQ(while_refused.reason, "exchange told: access refused");
  EXPECT_EQ(answered, 3U) << "the replies";
  EXPECT_EQ(told(), EventIds{"1-3"});
  EXPECT_EQ(broker_.acknowledged(), 3U);
  EXPECT_TRUE(flow_.is_consuming());
}

TEST_F(AnnouncerTest, TriesAgainWhatAQueueThatIsBoundRejects) {
  int tries = 0;
  Status while_rejected;
  clock_.on_sleep = [&] {
    if (flow_.status().condition != Condition::consuming) while_rejected = flow_.status();
  };
  answer_events([&](const amqp::Message&) -> amqp::Result<Settlement> {
    return ++tries < 20 ? Settlement::rejected : Settlement::confirmed;
  });
  broker_.put(order(1));
  settle();
  EXPECT_EQ(tries, 20);
  EXPECT_EQ(while_rejected.condition, Condition::rejected);
  EXPECT_TRUE(while_rejected.reason.contains("rejects events")) << while_rejected.reason;
  EXPECT_EQ(broker_.acknowledged(), 1U);
  EXPECT_TRUE(flow_.is_consuming());
}

TEST_F(AnnouncerTest, TakesNoMoreWhereTooManyEventsWait) {
  constexpr int kProducts = 2'000;
  for (int id = 2; id <= kProducts; ++id) {
    store_.tables.stock[id].quantity = 1;
    broker_.put(fmt::format(R"({{"order_id":1,"product_id":{},"quantity":1}})", id));
  }
  bool is_full = true;
  std::size_t waiting = 0;
  std::size_t replies = 0;
  int idle = 0;  // sleeps without a reply
  clock_.on_sleep = [&] {
    if (!is_full) return;
    idle = broker_.published().size() == replies ? idle + 1 : 0;
    waiting = broker_.waiting();
    replies = broker_.published().size();
    is_full = idle < 1'000;
  };
  answer_events([&](const amqp::Message&) -> amqp::Result<Settlement> {
    return is_full ? Settlement::rejected : Settlement::confirmed;
  });
  settle();
  EXPECT_GE(replies, 500U) << "others are answered meanwhile";
  EXPECT_LE(replies, 550U);
  EXPECT_GT(waiting, 1'000U);
  EXPECT_EQ(told().size(), kProducts - 1U);
  EXPECT_EQ(broker_.acknowledged(), kProducts - 1U);
  EXPECT_EQ(broker_.opened(), 1);
}

TEST_F(AnnouncerTest, PublishesAgainWhatHasNoAnswer) {
  broker_.silent = {"stock.in"};
  broker_.put(order(1));
  const auto begin = clock_.steady_now();
  Status while_silent;
  clock_.on_sleep = [&] {
    if (flow_.status().condition != Condition::consuming) while_silent = flow_.status();
    if (clock_.steady_now() - begin > seconds(20)) broker_.silent.clear();
  };
  settle();
  EXPECT_EQ(while_silent.condition, Condition::rejected);
  EXPECT_TRUE(while_silent.reason.contains("does not answer")) << while_silent.reason;
  EXPECT_EQ(broker_.tries("stock.in"), 2U);
  EXPECT_EQ(broker_.acknowledged(), 1U);
  EXPECT_GE(clock_.steady_now() - begin, seconds(30));
}

TEST_F(AnnouncerTest, IsBlockedWhileTheBrokerSaysSo) {
  broker_.silent = {"stock.in"};
  broker_.put(order(1));
  bool was_blocked = false;
  int sleeps = 0;
  clock_.on_sleep = [&] {
    ++sleeps;
    if (sleeps == 1) broker_.say_blocked("low on memory");
    was_blocked |= flow_.status().condition == Condition::blocked;
    if (sleeps == 50) {
      broker_.say_blocked(std::nullopt);
      broker_.answer("stock.in", Settlement::confirmed);
    }
  };
  settle();
  EXPECT_TRUE(was_blocked);
  EXPECT_EQ(broker_.tries("stock.in"), 1U);
  EXPECT_EQ(broker_.acknowledged(), 1U);
  EXPECT_TRUE(flow_.is_consuming());
}

TEST_F(AnnouncerTest, IsNotBlockedByAConnectionThatIsGoneWhileThereIsNothingToTell) {
  broker_.put(order(1));
  settle();
  broker_.announcing().on_blocked("low on memory");
  EXPECT_EQ(flow_.status().condition, Condition::blocked);
  broker_.announcing().on_lost({amqp::Fault::link_lost, "connection reset"});
  EXPECT_TRUE(flow_.is_consuming());
  broker_.put(order(2));
  settle();
  EXPECT_EQ(told(), (EventIds{"1-1", "1-2"}));
  EXPECT_EQ(broker_.acknowledged(), 2U);
}

TEST_F(AnnouncerTest, DoesNotWaitWhenItIsStoppedWhileEventsAreNotTaken) {
  answer_events([&](const amqp::Message&) -> amqp::Result<Settlement> {
    flow_.stop();
    return Settlement::rejected;
  });
  broker_.put(order(1));
  settle();
  EXPECT_TRUE(ended_);
  EXPECT_EQ(broker_.acknowledged(), 0U);
}

class WithoutEvents : public testing::FlowOnFakes {};

TEST_F(WithoutEvents, NothingMoreIsPublishedOrDeclaredOrConnected) {
  broker_.put(order(1));
  broker_.put(R"({"order_id":2,"product_id":1,"quantity":999})");
  broker_.put(order(1));
  settle();
  EXPECT_EQ(broker_.published().size(), 3U);
  EXPECT_EQ(broker_.outlets_opened(), 1);
  EXPECT_EQ(broker_.exchanges_declared(), 0);
  EXPECT_FALSE(store_.was_asked_for_news);
}

class OfLevels : public testing::FlowOnFakes {
 protected:
  OfLevels() : FlowOnFakes(domain::Telling::levels) {}
};

TEST_F(OfLevels, OnlyAnotherLevelIsToldAndWhatComesAgain) {
  store_.tables.stock[1].low_stock = 10;
  const auto put = [&](int id, int quantity) {
    broker_.put(fmt::format(R"({{"order_id":{},"product_id":1,"quantity":{}}})", id, quantity));
    settle();
  };
  const auto keys = [&] {
    std::vector<std::string> told;
    for (const auto& message : broker_.published()) {
      if (!message.exchange.empty()) told.push_back(message.routing_key);
    }
    return told;
  };
  put(1, 1);
  EXPECT_EQ(keys(), EventIds{});
  put(2, 990);
  put(3, 1);
  EXPECT_EQ(keys(), EventIds{"stock.low"});
  put(4, 8);
  EXPECT_EQ(keys(), (EventIds{"stock.low", "stock.out"}));
  put(1, 1);
  EXPECT_EQ(keys(), (EventIds{"stock.low", "stock.out", "stock.out"}));
  EXPECT_EQ(broker_.acknowledged(), 5U);
}

}  // namespace
}  // namespace inventory::service
