#include "service/settler.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "service/flow_for_test.h"

namespace inventory::service {
namespace {

using amqp::Settlement;
using testing::order;

// As part of a flow: what a settler gives up or publishes again shows in what is acknowledged.
class SettlerTest : public testing::FlowOnFakes {};

TEST_F(SettlerTest, PublishesAgainWhatTheBrokerRejects) {
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

TEST_F(SettlerTest, WaitsForAQueueOfItsOwnThatRejectsWithoutAnsweringTwice) {
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

TEST_F(SettlerTest, DoesNotWaitForARejectingQueueWhenItIsStopped) {
  broker_.on_publish = [&](const amqp::Message&) {
    flow_.stop();
    return Settlement::rejected;
  };
  broker_.put(order(1));
  settle();
  EXPECT_TRUE(ended_);
  EXPECT_EQ(broker_.acknowledged(), 0U);
}

TEST_F(SettlerTest, GivesUpAReplyThatAClientsQueueKeepsRejectingAndAnswersTheOthers) {
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

TEST_F(SettlerTest, TriesAQueueThatTookAReplyAgainAsOftenAsAnyOther) {
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

TEST_F(SettlerTest, FindsTheAddressThatMakesTheBrokerCloseTheConnectionAndAnswersTheOthers) {
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
TEST_F(SettlerTest, GivesNoReplyUpBecauseTheBrokerClosedTheConnectionOnItsQueueNowAndThen) {
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

TEST_F(SettlerTest, TakesAQueueForHarmlessOnceItConfirmsThoughTheLinkIsLostBehindIt) {
  int tries = 0;
  int others = 0;
  broker_.on_publish = [&](const amqp::Message& message) -> amqp::Result<Settlement> {
    if (message.routing_key == "honest") {
      ++tries;
      if (tries != 6 && tries != 8) {
        return std::unexpected(amqp::Error{amqp::Fault::link_lost, "INTERNAL_ERROR", 541});
      }
    } else if (++others == 1) {
      return std::unexpected(amqp::Error{amqp::Fault::link_lost, "connection reset"});
    }
    return Settlement::confirmed;
  };
  broker_.put(order(1), "honest");
  broker_.put(order(2), "other");
  settle();
  EXPECT_EQ(tries, 8) << "never five times in a row";
  EXPECT_EQ(broker_.acknowledged(), 2U);
}

TEST_F(SettlerTest, GivesAQueueUpOnWhichTheBrokerAlwaysClosesTheConnection) {
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

TEST_F(SettlerTest, LeavesOutADeadLettersBodyIfItIsTooLargeForTheBroker) {
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
TEST_F(SettlerTest, GivesUpAReplyThatIsTooLargeForTheBrokerButNotItsQueue) {
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
TEST_F(SettlerTest, LeavesOutADeadLettersHeadersIfTheyDoNotFitInAFrame) {
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

TEST_F(SettlerTest, AcknowledgesARequestWhoseClientHasGone) {
  broker_.on_publish = [](const amqp::Message&) { return Settlement::returned; };
  broker_.put(order(1), "a client's queue");
  settle();
  EXPECT_EQ(broker_.opened(), 1);
  EXPECT_EQ(broker_.acknowledged(), 1U);
}

TEST_F(SettlerTest, OpensTheLinkAgainIfAQueueOfItsOwnIsGone) {
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

TEST_F(SettlerTest, CountsAReplyThatItGivesUpOnceHoweverOftenTheRequestComesAgain) {
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
