#include "cli/commands/dead_letters/dead_letter.h"

#include <gtest/gtest.h>

#include "amqp/wire.h"
#include "contract/timestamp.h"
#include "service/answer.h"

namespace inventory::cli {
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

void append_entry(std::string& table, std::string_view name, char type, std::string_view value) {
  table += static_cast<char>(name.size());
  table.append(name) += type;
  if (type != 'T') amqp::append_integer(table, static_cast<std::uint32_t>(value.size()));
  table.append(value);
}

// As RabbitMQ makes it of a request that was delivered too often.
amqp::Delivery dropped_request(std::string_view queue) {
  std::string seconds;
  amqp::append_integer(seconds, std::uint64_t{1'795'612'800});
  std::string death;
  append_entry(death, "reason", 'S', "delivery_limit");
  append_entry(death, "queue", 'S', queue);
  append_entry(death, "time", 'T', seconds);
  std::string deaths = "F";
  amqp::append_integer(deaths, static_cast<std::uint32_t>(death.size()));
  deaths += death;
  std::string headers;
  append_entry(headers, "x-death", 'A', deaths);
  amqp::Delivery delivery = request();
  delivery.properties.headers.emplace(headers + delivery.properties.headers->encoded());
  return delivery;
}

TEST(DeadLetter, TellsWhatTheBrokerHasAdded) {
  const auto letter = read_dead_letter("orders.dlq", 1, dropped_request("orders"));
  EXPECT_EQ(letter.reason, "delivery-limit");
  EXPECT_EQ(letter.original_queue, "orders");
  EXPECT_EQ(letter.failed_at, kFailedAt);
  EXPECT_EQ(replay_queue(letter, {}, {"orders", "items"}), "orders");
  EXPECT_FALSE(replay_queue(letter, {}, {"items"}));
}

TEST(DeadLetter, TellsWhatTheServiceHasAddedRatherThanWhatTheBrokerHas) {
  const DeadLetter letter = letter_of(dropped_request("elsewhere"));
  EXPECT_EQ(letter.reason, "invalid");
  EXPECT_EQ(letter.original_queue, "orders");
}

TEST(DeadLetter, ToldOfInAnotherWayIsOneWithoutAReason) {
  for (const auto* const headers : {"\7x-deathA\0\0\0\0", "\7x-deathS\0\0\0\1x"}) {
    amqp::Delivery delivery = delivery_of("x");
    delivery.properties.headers.emplace(
        std::string(headers, 13 + static_cast<std::size_t>(headers[8] == 'S')));
    EXPECT_EQ(read_dead_letter("orders.dlq", 1, std::move(delivery)).reason, std::nullopt);
  }
}

TEST(DeadLetterCopy, IsTheLetterButForWhatWouldActOnceMoreAndTheBrokersCount) {
  amqp::Delivery delivery = dropped_request("orders");
  std::string count;
  amqp::append_integer(count, std::uint64_t{19});
  delivery.properties.headers.emplace("\x10x-delivery-countl" + count +
                                      delivery.properties.headers->encoded());
  const auto letter = read_dead_letter("orders.dlq", 1, delivery);
  EXPECT_EQ(letter.deliveries, 19);
  const amqp::Message copy = make_copy(letter);
  EXPECT_EQ(copy.routing_key, "orders.dlq");
  EXPECT_TRUE(copy.mandatory && copy.keeps_properties);
  EXPECT_EQ(copy.body, delivery.body);
  EXPECT_EQ(copy.properties.message_id, "m");
  EXPECT_EQ(copy.properties.expiration, std::nullopt);
  EXPECT_EQ(copy.properties.user_id, std::nullopt);
  const auto& headers = *copy.properties.headers;
  EXPECT_EQ(headers.find_string("original-expiration"), "1000");
  EXPECT_EQ(headers.find_string("original-user-id"), "guest");
  EXPECT_EQ(headers.find_string("original-CC"), "elsewhere");
  EXPECT_EQ(headers.find_string("CC"), std::nullopt);
  EXPECT_EQ(headers.find_integer("x-delivery-count"), std::nullopt);
  const auto again = read_dead_letter("orders.dlq", 1, delivery_of(copy.body, copy.properties));
  EXPECT_EQ(again.reason, "delivery-limit");
  EXPECT_EQ(again.original_queue, "orders");
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
        DeadLetterFilter{.newer_than = 1h}, DeadLetterFilter{.failed_at = kFailedAt},
        DeadLetterFilter{.text = "order_id"}, DeadLetterFilter{.text = "is missing"},
        DeadLetterFilter{.id = "m"}, DeadLetterFilter{.id = "c"},
        DeadLetterFilter{.reason = "invalid", .newer_than = 2h}}) {
    EXPECT_TRUE(matches(letter, filter, now));
  }
  for (const DeadLetterFilter& filter :
       {DeadLetterFilter{.reason = "too-large"}, DeadLetterFilter{.older_than = 3601s},
        DeadLetterFilter{.newer_than = 3599s},
        DeadLetterFilter{.failed_at = kFailedAt + std::chrono::microseconds(1)},
        DeadLetterFilter{.text = "orders"}, DeadLetterFilter{.id = "mc"},
        DeadLetterFilter{.reason = "invalid", .older_than = 2h}}) {
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
}  // namespace inventory::cli
