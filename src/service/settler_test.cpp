#include "service/settler.h"

#include <algorithm>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "service/testing/flow_fixture.h"

namespace inventory::service {
namespace {

using amqp::Settlement;
using std::chrono::milliseconds;
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
  clock_.on_sleep = [&] {
    if (flow_.status().condition != Condition::consuming) while_rejected = flow_.status();
  };
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

TEST_F(SettlerTest, TellsOfADeadLetterOnceTheBrokerHasIt) {
  int tries = 0;
  broker_.on_publish = [&](const amqp::Message& message) {
    if (message.routing_key != "orders.dlq") return Settlement::confirmed;
    EXPECT_TRUE(observer_.letters.empty());
    return ++tries < 3 ? Settlement::rejected : Settlement::confirmed;
  };
  broker_.put("not a request");
  broker_.put(order(1));
  broker_.put(order(2), "client");
  settle();
  EXPECT_EQ(tries, 3);
  ASSERT_EQ(observer_.letters.size(), 1U);
  const amqp::Message& letter = observer_.letters.front();
  EXPECT_EQ(letter.routing_key, "orders.dlq");
  EXPECT_EQ(letter.body, "not a request");
  EXPECT_EQ(letter.properties.headers->find_string("error-reason"), "invalid");
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

TEST_F(SettlerTest, GivesUpAReplyThatAClientsQueueKeepsRejectingAndAnswersTheOthersAtOnce) {
  broker_.on_publish = [&](const amqp::Message& message) {
    return message.routing_key == "full" ? Settlement::rejected : Settlement::confirmed;
  };
  const auto begin = clock_.steady_now();
  std::optional<milliseconds> first;
  broker_.on_acknowledge = [&] {
    if (!first) first = std::chrono::floor<milliseconds>(clock_.steady_now() - begin);
  };
  broker_.put(order(1), "full");
  broker_.put(order(2));
  settle();
  EXPECT_EQ(broker_.acknowledged(), 2U);
  EXPECT_LT(*first, milliseconds(1'000));
  const auto patience = clock_.steady_now() - begin;
  EXPECT_GE(patience, std::chrono::seconds(10));
  EXPECT_LT(patience, std::chrono::seconds(11));
  EXPECT_GE(broker_.tries("full"), 5U);

  broker_.put(order(3), "full");
  settle();
  EXPECT_LT(clock_.steady_now() - begin - patience, std::chrono::seconds(6)) << "it is known";
  EXPECT_EQ(broker_.acknowledged(), 3U);
  EXPECT_EQ(broker_.opened(), 1) << "nothing is delivered again for it";
}

TEST_F(SettlerTest, IsAsPatientWithAQueueThatTookAReplyAsWithAnyOther) {
  bool is_full = true;
  broker_.on_publish = [&](const amqp::Message&) {
    return is_full ? Settlement::rejected : Settlement::confirmed;
  };
  broker_.put(order(1), "client");
  settle();
  is_full = false;
  broker_.put(order(2), "client");
  settle();
  is_full = true;
  const auto begin = clock_.steady_now();
  broker_.put(order(3), "client");
  settle();
  EXPECT_GE(clock_.steady_now() - begin, std::chrono::seconds(10));
}

TEST_F(SettlerTest, DeliversWhatWaitedWhenTheQueueHasRoomAgain) {
  int room = 0;
  broker_.on_publish = [&](const amqp::Message& message) {
    if (message.routing_key != "full") return Settlement::confirmed;
    return --room >= 0 ? Settlement::confirmed : Settlement::rejected;
  };
  clock_.on_sleep = [&] {
    if (clock_.steady_now().time_since_epoch() > std::chrono::seconds(5)) room = 100;
  };
  for (int id = 0; id < 25; ++id) broker_.put(order(id), id % 2 == 0 ? "full" : "");
  settle();
  EXPECT_EQ(broker_.acknowledged(), 25U);
  EXPECT_EQ(std::ranges::count(broker_.published(), "full", &amqp::Message::routing_key), 13);
}

TEST_F(SettlerTest, CountsHowLongAQueueRejectsFromItsFirstRejection) {
  broker_.silent = {"client"};
  bool was_blocked = false;
  clock_.on_sleep = [&] {
    if (!std::exchange(was_blocked, true)) broker_.say_blocked("low on memory");
    if (clock_.steady_now().time_since_epoch() > std::chrono::seconds(20) &&
        broker_.silent.contains("client")) {
      broker_.say_blocked({});
      broker_.answer("client", Settlement::rejected);
    }
  };
  broker_.put(order(1), "client");
  settle();
  EXPECT_EQ(broker_.tries("client"), 2U) << "not given up for having waited";
  EXPECT_EQ(broker_.acknowledged(), 1U);
}

// To try a queue again may take long, where the broker is busy: that is no rejection.
TEST_F(SettlerTest, GivesNothingUpOfAQueueThatRejectedOnceBecauseNothingCanBePublished) {
  bool is_full = true;
  broker_.on_publish = [&](const amqp::Message& message) {
    return is_full && message.routing_key == "client" ? Settlement::rejected
                                                      : Settlement::confirmed;
  };
  clock_.on_sleep = [&] {
    const auto now = clock_.steady_now().time_since_epoch();
    if (broker_.tries("client") >= 3 && std::exchange(is_full, false)) {
      broker_.hold_shared = std::make_unique<testing::Event>(context_.get_executor());
      broker_.lose_link();  // what the queue did is remembered
    } else if (now > std::chrono::seconds(20) && broker_.hold_shared) {
      const auto held = std::exchange(broker_.hold_shared, nullptr);
      held->notify();
    }
  };
  for (int id = 0; id < 3; ++id) broker_.put(order(id), "client");
  settle();
  EXPECT_EQ(broker_.opened(), 2);
  EXPECT_EQ(broker_.acknowledged(), 3U);
  EXPECT_EQ(std::ranges::count(broker_.published(), "client", &amqp::Message::routing_key), 3);
}

// ---- queues that do not answer

TEST_F(SettlerTest, AnswersOthersWhileAQueueIsSilent) {
  broker_.silent = {"silent"};
  clock_.on_sleep = [this] {
    if (clock_.steady_now().time_since_epoch() > std::chrono::seconds(20)) flow_.stop();
  };
  for (int id = 0; id < 30; ++id) broker_.put(order(id), id % 3 == 0 ? "silent" : "");
  settle();
  EXPECT_TRUE(ended_);
  EXPECT_EQ(broker_.acknowledged(), 20U);
  EXPECT_EQ(broker_.unacknowledged(), 10U) << "not lost when it is stopped";
  EXPECT_EQ(broker_.opened(), 1);
}

TEST_F(SettlerTest, PublishesAgainToAQueueOfItsOwnWhatHasNoAnswerForHalfAMinute) {
  broker_.silent = {"replies"};
  clock_.on_sleep = [this] {
    if (clock_.steady_now().time_since_epoch() > std::chrono::seconds(20)) broker_.silent.clear();
  };
  broker_.put(order(1));
  settle();
  EXPECT_EQ(broker_.acknowledged(), 1U);
  EXPECT_EQ(broker_.tries("replies"), 2U);
  EXPECT_EQ(broker_.opened(), 1);
}

TEST_F(SettlerTest, KeepsALostLinksSessionWhileTheBrokerTakesNothing) {
  broker_.silent = {"replies"};
  bool is_blocked = false;
  bool is_lost = false;
  int opened_while_blocked = 0;
  clock_.on_sleep = [&] {
    const auto now = clock_.steady_now().time_since_epoch();
    if (now > milliseconds(500) && !is_blocked) {  // later than a batch waits for it
      is_blocked = true;
      broker_.say_blocked("low on memory");
    } else if (now > std::chrono::seconds(1) && !is_lost) {
      is_lost = true;
      broker_.lose_link();
    } else if (now > std::chrono::minutes(2) && opened_while_blocked == 0) {
      opened_while_blocked = broker_.opened();
      broker_.silent.clear();
      broker_.say_blocked({});
      broker_.answer("replies", Settlement::confirmed);
    }
  };
  broker_.put(order(1));
  settle();
  EXPECT_EQ(opened_while_blocked, 1) << "another link would cost each request a redelivery";
  EXPECT_EQ(broker_.acknowledged(), 1U);
  EXPECT_EQ(broker_.unacknowledged(), 0U);
}

TEST_F(SettlerTest, SettlesAReplyByAnAnswerThatComesLateWithoutPublishingItAgain) {
  broker_.silent = {"silent"};
  bool is_consuming = true;
  clock_.on_sleep = [&] {
    is_consuming = is_consuming && flow_.is_consuming();
    if (clock_.steady_now().time_since_epoch() > std::chrono::seconds(20)) {
      broker_.answer("silent", Settlement::confirmed);
    }
  };
  for (int id = 0; id < 5; ++id) broker_.put(order(id), "silent");
  broker_.put(order(5));
  settle();
  EXPECT_EQ(broker_.acknowledged(), 6U);
  EXPECT_EQ(broker_.tries("silent"), 5U) << "each once";
  EXPECT_TRUE(is_consuming);
}

TEST_F(SettlerTest, KeepsWhatASilentQueueDoesNotTakeInAQueueOfTheService) {
  broker_.silent = {"silent"};
  for (int id = 0; id < 4; ++id) broker_.put(order(id), "silent");
  broker_.put(order(4));
  settle();
  EXPECT_EQ(broker_.acknowledged(), 5U);
  const auto kept =
      std::ranges::find(broker_.published(), "orders.undelivered", &amqp::Message::routing_key);
  ASSERT_NE(kept, broker_.published().end());
  EXPECT_EQ(kept->properties.headers->find_string("original-queue"), "silent");
  EXPECT_EQ(kept->properties.headers->find_string("error-reason"), "undelivered");
  EXPECT_TRUE(kept->body.contains("Inventory updated"));
  EXPECT_GE(clock_.steady_now().time_since_epoch(), std::chrono::seconds(30));
}

TEST_F(SettlerTest, PublishesEachReplyOnceToAQueueThatIsSilent) {
  broker_.silent = {"silent"};
  broker_.put(order(0), "silent");
  int id = 1;
  clock_.on_sleep = [&] {
    if (clock_.steady_now().time_since_epoch() > std::chrono::seconds(id) && id < 20) {
      broker_.put(order(id++), "silent");
    }
    if (clock_.steady_now().time_since_epoch() > std::chrono::seconds(25)) {
      broker_.answer("silent", Settlement::confirmed);
    }
  };
  settle();
  EXPECT_EQ(broker_.acknowledged(), 20U);
  EXPECT_EQ(broker_.tries("silent"), 20U) << "each once";
}

// A quorum queue that loses its leader may never answer what was under way (RabbitMQ 3.10).
TEST_F(SettlerTest, DeliversAgainToAClientsQueueWhoseAnswersWereLost) {
  broker_.silent = {"client"};
  for (int id = 0; id < 3; ++id) broker_.put(order(id), "client");
  int id = 3;
  clock_.on_sleep = [&] {
    const auto now = clock_.steady_now().time_since_epoch();
    if (now > std::chrono::seconds(2)) broker_.silent.clear();  // and says nothing of those before
    if (now > std::chrono::seconds(id) && id < 6) broker_.put(order(id++), "client");
  };
  settle();
  EXPECT_EQ(broker_.acknowledged(), 6U);
  EXPECT_EQ(std::ranges::count(broker_.published(), "client", &amqp::Message::routing_key), 6);
  EXPECT_EQ(broker_.tries("client"), 9U) << "those whose answer was lost twice, others once";
  EXPECT_EQ(broker_.tries("orders.undelivered"), 0U);
  EXPECT_LT(clock_.steady_now().time_since_epoch(), std::chrono::seconds(14));
  EXPECT_EQ(broker_.opened(), 1);
}

// The same for a queue of the service's own.
TEST_F(SettlerTest, DeliversAgainToItsOwnQueueAsSoonAsItTakesALaterMessage) {
  broker_.silent = {"replies"};
  broker_.put(order(0));
  bool was_put = false;
  clock_.on_sleep = [&] {
    if (clock_.steady_now().time_since_epoch() < std::chrono::seconds(2)) return;
    broker_.silent.clear();
    if (!std::exchange(was_put, true)) broker_.put(order(1));
  };
  settle();
  EXPECT_EQ(broker_.acknowledged(), 2U);
  EXPECT_EQ(broker_.tries("replies"), 3U);
  EXPECT_LT(clock_.steady_now().time_since_epoch(), std::chrono::seconds(14));
}

TEST_F(SettlerTest, PublishesNothingTwiceToAQueueThatAnswersLate) {
  broker_.silent = {"client"};
  broker_.put(order(0), "client");
  bool was_put = false;
  std::optional<std::chrono::steady_clock::time_point> goes_on;
  clock_.on_sleep = [&] {
    const auto now = clock_.steady_now();
    if (now.time_since_epoch() < std::chrono::seconds(2)) return;
    if (!std::exchange(was_put, true)) broker_.put(order(1), "client");
    if (now.time_since_epoch() < std::chrono::seconds(8)) return;
    broker_.silent.clear();
    if (!goes_on && !broker_.published().empty()) goes_on = now;
    if (goes_on && now - *goes_on >= milliseconds(300)) {
      broker_.answer("client", Settlement::confirmed);
    }
  };
  settle();
  EXPECT_TRUE(goes_on);
  EXPECT_EQ(broker_.acknowledged(), 2U);
  EXPECT_EQ(broker_.tries("client"), 2U);
}

// A machine that was suspended, or this process alone: its answers are about to come.
TEST_F(SettlerTest, KeepsNothingBecauseTheProcessStoodStill) {
  broker_.silent = {"silent"};
  broker_.put(order(0), "silent");
  bool stood_still = false;
  clock_.on_sleep = [&] {
    const auto now = clock_.steady_now().time_since_epoch();
    if (now > std::chrono::seconds(1) && !std::exchange(stood_still, true)) {
      clock_.pass(std::chrono::seconds(60));
    } else if (now > std::chrono::seconds(70)) {
      broker_.answer("silent", Settlement::confirmed);
    }
  };
  settle();
  EXPECT_TRUE(stood_still);
  EXPECT_EQ(broker_.acknowledged(), 1U);
  EXPECT_EQ(broker_.tries("orders.undelivered"), 0U);
  EXPECT_EQ(broker_.tries("silent"), 1U);
}

// The broker stops reading a connection that has sent too much to a queue that does not answer.
TEST_F(SettlerTest, ReplacesAConnectionThatASilentQueueHasBlocked) {
  broker_.silent = {"silent"};
  broker_.unanswered_max = 32;
  for (int id = 0; id < 200; ++id) broker_.put(order(id), id % 2 == 0 ? "silent" : "");
  settle();
  EXPECT_EQ(broker_.acknowledged(), 200U);
  EXPECT_EQ(broker_.opened(), 1);
  EXPECT_EQ(std::ranges::count(broker_.published(), "replies", &amqp::Message::routing_key), 100);
  EXPECT_LE(broker_.tries("replies"), 200U) << "at most one more each";
  EXPECT_LE(broker_.outlets_opened(), 6);
}

// A broker that stands still must not cost a second copy of each reply.
TEST_F(SettlerTest, PublishesOneReplyAgainWhileTheBrokerAnswersNothing) {
  broker_.unanswered_max = 0;
  for (int id = 0; id < 50; ++id) broker_.put(order(id), id < 25 ? "a" : "b");
  clock_.on_sleep = [this] {
    if (clock_.steady_now().time_since_epoch() < std::chrono::seconds(10)) return;
    broker_.unanswered_max = 1'000'000;
    broker_.answer("a", Settlement::confirmed);
    broker_.answer("b", Settlement::confirmed);
  };
  settle();
  EXPECT_EQ(broker_.acknowledged(), 50U);
  EXPECT_LE(broker_.tries("a") + broker_.tries("b"), 52U);
}

// The same where it answers over another connection first: its late answers are about to come.
TEST_F(SettlerTest, AwaitsLateAnswersWhereTheBrokerStoodStill) {
  broker_.unanswered_max = 0;
  for (int id = 0; id < 100; ++id) broker_.put(order(id), id < 50 ? "a" : "b");
  std::optional<std::chrono::steady_clock::time_point> goes_on;
  clock_.on_sleep = [&] {
    if (clock_.steady_now().time_since_epoch() < std::chrono::seconds(10)) return;
    broker_.unanswered_max = 1'000'000;
    if (!goes_on && !broker_.published().empty()) goes_on = clock_.steady_now();
    if (!goes_on || clock_.steady_now() - *goes_on < milliseconds(300)) return;
    broker_.answer("a", Settlement::confirmed);
    broker_.answer("b", Settlement::confirmed);
  };
  settle();
  EXPECT_EQ(broker_.acknowledged(), 100U);
  EXPECT_LE(broker_.tries("a") + broker_.tries("b"), 110U);
}

TEST_F(SettlerTest, BoundsWhatWaitsForOneQueue) {
  broker_.silent = {"silent"};
  clock_.on_sleep = [this] {
    if (clock_.steady_now().time_since_epoch() > std::chrono::seconds(10)) flow_.stop();
  };
  for (int id = 0; id < 900; ++id) broker_.put(order(id), "silent");
  settle();
  EXPECT_TRUE(ended_);
  EXPECT_LE(broker_.unacknowledged(), 800U);
  EXPECT_EQ(broker_.acknowledged() + broker_.unacknowledged(), 900U);
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(broker_.published(), "orders.undelivered",
                                                        &amqp::Message::routing_key)),
            broker_.acknowledged());
}

// As where all clients share one reply queue, and the broker is slow: nobody would gain.
TEST_F(SettlerTest, KeepsNothingOfTheOnlyQueueThatTakesRepliesForHalfAMinute) {
  broker_.put(order(0), "only");
  settle();
  ASSERT_EQ(broker_.acknowledged(), 1U);

  broker_.silent = {"only"};
  clock_.on_sleep = [&, end = clock_.steady_now() + std::chrono::seconds(20)] {
    if (clock_.steady_now() < end) return;
    broker_.silent.clear();
    broker_.answer("only", Settlement::confirmed);
  };
  for (int id = 1; id < 900; ++id) broker_.put(order(id), "only");
  settle();
  EXPECT_EQ(broker_.acknowledged(), 900U);
  EXPECT_EQ(broker_.tries("orders.undelivered"), 0U);
}

TEST_F(SettlerTest, BoundsWhatWaitsForAQueueThatTookRepliesWhereAnotherDidToo) {
  broker_.put(order(0), "silent");
  broker_.put(order(1), "other");
  settle();
  ASSERT_EQ(broker_.acknowledged(), 2U);

  broker_.silent = {"silent"};
  clock_.on_sleep = [&, end = clock_.steady_now() + std::chrono::seconds(10)] {
    if (clock_.steady_now() > end) flow_.stop();
  };
  for (int id = 2; id < 902; ++id) broker_.put(order(id), "silent");
  settle();
  EXPECT_TRUE(ended_);
  EXPECT_LE(broker_.unacknowledged(), 800U);
  EXPECT_GT(broker_.tries("orders.undelivered"), 0U);
}

// Its messages are under way before the queue is known to be silent, more of them than may wait.
TEST_F(SettlerTest, KeepsNothingOfAQueueThatIsSoundWhereASilentOneHasTooMuch) {
  broker_.silent = {"silent"};
  broker_.unanswered_max = 1'800;
  for (int id = 0; id < 1'900; ++id) broker_.put(order(id % 900), "silent");
  for (int id = 0; id < 100; ++id) broker_.put(order(id), "sound");
  settle();
  EXPECT_EQ(broker_.acknowledged(), 2'000U);
  EXPECT_EQ(std::ranges::count(broker_.published(), "sound", &amqp::Message::routing_key), 100);
  EXPECT_LE(broker_.tries("sound"), 200U) << "at most one more each";
}

// More of it is under way than may wait, behind the silent one.
TEST_F(SettlerTest, KeepsNothingOfABusyQueueBehindASilentOne) {
  broker_.silent = {"silent"};
  broker_.unanswered_max = 20;
  for (int id = 0; id < 50; ++id) broker_.put(order(id), "silent");
  for (int id = 0; id < 800; ++id) broker_.put(order(id), "sound");
  settle();
  EXPECT_EQ(broker_.acknowledged(), 850U);
  EXPECT_EQ(std::ranges::count(broker_.published(), "sound", &amqp::Message::routing_key), 800);
}

// ---- messages on which the broker closes the connection

TEST_F(SettlerTest, KeepsDeliveriesAndOtherRepliesWhereAnAddressIsBad) {
  broker_.on_publish = [&](const amqp::Message& message) -> amqp::Result<Settlement> {
    if (message.routing_key.starts_with("amq.rabbitmq.reply-to.bad")) {
      return std::unexpected(amqp::Error{amqp::Fault::link_lost, "INTERNAL_ERROR", 541});
    }
    return Settlement::confirmed;
  };
  for (int id = 0; id < 60; ++id) {
    broker_.put(order(id), id % 6 == 0   ? fmt::format("amq.rabbitmq.reply-to.bad{}", id)
                           : id % 2 == 0 ? fmt::format("amq.rabbitmq.reply-to.good{}", id % 4)
                                         : "");
  }
  settle();
  EXPECT_EQ(broker_.acknowledged(), 60U);
  EXPECT_EQ(broker_.opened(), 1) << "deliveries in hand keep their tags";
  EXPECT_EQ(broker_.tries("replies"), 30U) << "each once";
  EXPECT_EQ(broker_.published().size(), 50U);
}

// A node that is gone makes an address harmful that was good.
TEST_F(SettlerTest, FindsAnAddressThatWasGoodUntilNow) {
  bool is_bad = false;
  broker_.on_publish = [&](const amqp::Message& message) -> amqp::Result<Settlement> {
    if (is_bad && message.routing_key == "amq.rabbitmq.reply-to.x.y") {
      return std::unexpected(amqp::Error{amqp::Fault::link_lost, "INTERNAL_ERROR", 541});
    }
    return Settlement::confirmed;
  };
  broker_.put(order(1), "amq.rabbitmq.reply-to.x.y");
  settle();
  is_bad = true;
  for (int id = 2; id < 10; ++id) {
    broker_.put(order(id), id == 5 ? "amq.rabbitmq.reply-to.x.y" : "client");
  }
  settle();
  EXPECT_EQ(broker_.acknowledged(), 9U);
  EXPECT_EQ(broker_.opened(), 1);
  EXPECT_EQ(broker_.tries("client"), 7U) << "what was confirmed is not published again";
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
  EXPECT_GE(tries, 6) << "never five times in a row";
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
  EXPECT_EQ(store_.tables.stock[1].quantity, 994);
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
