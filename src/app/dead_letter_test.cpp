#include "app/dead_letter.h"

#include <gtest/gtest.h>

#include "contract/timestamp.h"
#include "service/answer.h"

namespace inventory::app {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

const domain::Timestamp kFailedAt{std::chrono::seconds(1'795'612'800)};

amqp::Delivery delivery_of(std::string body, amqp::Properties properties = {}) {
  amqp::Delivery delivery;
  delivery.properties = std::move(properties);
  delivery.body = std::move(body);
  return delivery;
}

amqp::Delivery request() {
  amqp::Delivery delivery = delivery_of(R"({"order_id":1})");
  amqp::Properties& properties = delivery.properties;
  properties.message_id = "m";
  properties.correlation_id = "c";
  properties.reply_to = "r";
  properties.expiration = "1000";
  properties.user_id = "guest";
  properties.delivery_mode = 1;
  properties.headers.emplace().add_string("traceparent", "00-1-2-00");
  properties.headers->add_string("CC", "elsewhere");
  return delivery;
}

// As the service makes it.
DeadLetter letter_of(const amqp::Delivery& delivery) {
  auto dead =
      service::make_dead_letter(delivery, "orders", "invalid", "quantity is missing", kFailedAt);
  return read_dead_letter("orders.dlq", 1, delivery_of(dead.message.body, dead.message.properties));
}

TEST(DeadLetter, TellsWhatTheServiceHasAdded) {
  const DeadLetter letter = letter_of(request());
  EXPECT_EQ(letter.reason, "invalid");
  EXPECT_EQ(letter.message, "quantity is missing");
  EXPECT_EQ(letter.original_queue, "orders");
  EXPECT_EQ(letter.failed_at, kFailedAt);
  EXPECT_EQ(letter.deliveries, std::nullopt);
}

TEST(DeadLetter, MayBeAMessageOfSomebodyElse) {
  const DeadLetter letter = read_dead_letter("orders.dlq", 1, delivery_of("x"));
  EXPECT_EQ(letter.reason, std::nullopt);
  EXPECT_FALSE(matches(letter, {.older_than = 0s}, kFailedAt)) << "it has no age";
  EXPECT_TRUE(matches(letter, {}, kFailedAt));
}

TEST(DeadLetter, MatchesWhereAllThatIsAskedForHolds) {
  const DeadLetter letter = letter_of(request());
  const domain::Timestamp now = kFailedAt + 1h;
  for (const DeadLetterFilter& filter :
       {DeadLetterFilter{.reason = "invalid"}, DeadLetterFilter{.older_than = 1h},
        DeadLetterFilter{.newer_than = 1h}, DeadLetterFilter{.text = "order_id"},
        DeadLetterFilter{.text = "is missing"}, DeadLetterFilter{.id = "m"},
        DeadLetterFilter{.id = "c"}, DeadLetterFilter{.reason = "invalid", .newer_than = 2h}}) {
    EXPECT_TRUE(matches(letter, filter, now));
  }
  for (const DeadLetterFilter& filter :
       {DeadLetterFilter{.reason = "too-large"}, DeadLetterFilter{.older_than = 3601s},
        DeadLetterFilter{.newer_than = 3599s}, DeadLetterFilter{.text = "orders"},
        DeadLetterFilter{.id = "mc"}, DeadLetterFilter{.reason = "invalid", .older_than = 2h}}) {
    EXPECT_FALSE(matches(letter, filter, now));
  }
}

TEST(DeadLetter, BecomesTheRequestThatItWas) {
  const amqp::Delivery original = request();
  const amqp::Message replay = make_replay(letter_of(original), "orders");
  EXPECT_EQ(replay.routing_key, "orders");
  EXPECT_EQ(replay.body, original.body);
  EXPECT_TRUE(replay.mandatory);
  EXPECT_TRUE(replay.keeps_properties) << "a new message_id would be another identity";
  amqp::Properties expected = original.properties;
  expected.headers->remove("CC");
  expected.expiration.reset();
  expected.user_id.reset();
  expected.delivery_mode = 2;
  EXPECT_EQ(replay.properties, expected);
}

TEST(DeadLetter, HasNoHeadersWhenItIsReplayedIfTheRequestHadNone) {
  EXPECT_EQ(make_replay(letter_of(delivery_of("x")), "q").properties.headers, std::nullopt);
}

TEST(DeadLetter, LosesWhatBrokersHaveAddedOnce) {
  amqp::Delivery original = request();
  original.properties.headers->add_string("x-first-death-reason", "rejected");
  original.properties.headers->add_entry("\7x-deathA\0\0\0\1V"s);
  amqp::Message replay = make_replay(letter_of(original), "orders");
  EXPECT_TRUE(drop_death_headers(replay));
  EXPECT_EQ(replay.properties, make_replay(letter_of(request()), "orders").properties);
  EXPECT_FALSE(drop_death_headers(replay));
  replay.properties.headers.reset();
  EXPECT_FALSE(drop_death_headers(replay));
}

TEST(DeadLetter, GoesToItsOriginalQueueIfThatIsARequestQueue) {
  const std::vector<std::string> queues{"orders", "items"};
  const DeadLetter letter = letter_of(request());
  EXPECT_EQ(replay_queue(letter, std::nullopt, queues), "orders");
  EXPECT_EQ(replay_queue(letter, "other", queues), "other");
  EXPECT_EQ(replay_queue(letter, std::nullopt, {"items"}).error(),
            "original-queue \"orders\" is no request queue of the settings");
  const DeadLetter foreign = read_dead_letter("orders.dlq", 1, delivery_of(""));
  EXPECT_EQ(replay_queue(foreign, std::nullopt, queues).error(), "no header original-queue");
}

TEST(DeadLetter, IsNotSentAgainIfPartsOfTheRequestWereDropped) {
  for (const auto& [header, why] : {std::pair("body-dropped", "its body was dropped"),
                                    std::pair("headers-dropped", "its headers were dropped")}) {
    amqp::Delivery delivery = delivery_of("");
    delivery.properties.headers.emplace().add_string(header, "2000 bytes");
    delivery.properties.headers->add_string("original-queue", "orders");
    const DeadLetter letter = read_dead_letter("orders.dlq", 1, delivery);
    EXPECT_EQ(replay_queue(letter, std::nullopt, {"orders"}).error(), why);
    EXPECT_EQ(replay_queue(letter, "other", {"orders"}).error(), why);
  }
}

}  // namespace
}  // namespace inventory::app
