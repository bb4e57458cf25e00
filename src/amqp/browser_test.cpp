#include "amqp/browser.h"

#include <array>

#include <gtest/gtest.h>

#include "amqp/testing/fake_broker.h"

namespace amqp {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace std::string_view_literals;
using test::FakeBroker;

class BrowserTest : public test::FakeBrokerTest {};

// A connection with a browser of the queue "letters".
struct Client {
  std::shared_ptr<Connection> connection;
  std::unique_ptr<Browser> browser;
};

Task<Client> browse(Endpoint endpoint, std::chrono::milliseconds timeout = 60s,
                    QueueType type = QueueType::classic) {
  const Host host = endpoint.hosts.front();
  auto connection = co_await Connection::open(std::move(endpoint), host, {});
  if (!connection) throw std::runtime_error(connection.error().what);
  auto browser = co_await Browser::open(
      **connection, {.queue = "letters", .type = type, .message_timeout = timeout});
  if (!browser) throw std::runtime_error(browser.error().what);
  co_return Client{*connection, std::move(*browser)};
}

std::string get_ok(std::uint64_t tag, std::uint32_t behind, std::string_view text,
                   std::string_view properties = "\0\0"sv) {
  return test::frame(1, AMQP_BASIC_GET_OK_METHOD,
                     amqp_basic_get_ok_t{.delivery_tag = tag,
                                         .redelivered = 1,
                                         .exchange = {},
                                         .routing_key = test::bytes("letters"),
                                         .message_count = behind}) +
         test::header(1, text.size(), properties) + (text.empty() ? ""s : test::body(1, text));
}

std::string get_empty() {
  return test::frame(1, AMQP_BASIC_GET_EMPTY_METHOD, amqp_basic_get_empty_t{});
}

Task<void> give_two(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_channel();
  const auto get = co_await broker.expect(AMQP_BASIC_GET_METHOD);
  EXPECT_EQ(get.payload.substr(4), "\0\0\7letters\0"s) << "to be acknowledged";
  co_await broker.send(get_ok(1, 1, "one"));
  co_await broker.expect(AMQP_BASIC_GET_METHOD);
  co_await broker.send(get_ok(2, 0, ""));
  const auto ack = co_await broker.expect(AMQP_BASIC_ACK_METHOD);
  EXPECT_EQ(ack.payload.substr(4), "\0\0\0\0\0\0\0\2\0"s) << "not multiple";
  co_await broker.expect(AMQP_QUEUE_DECLARE_METHOD);
  co_await broker.send(test::declare_ok(1, "letters"));
  co_await broker.expect(AMQP_BASIC_GET_METHOD);
  co_await broker.send(get_empty());
  co_await broker.expect(AMQP_CHANNEL_CLOSE_METHOD);
  co_await broker.send(test::channel_close_ok(1));
}

Task<std::optional<Browsed>> next(Browser& browser) {
  auto taken = co_await browser.next();
  if (!taken) throw std::runtime_error(taken.error().what);
  co_return std::move(*taken);
}

Task<void> remove_the_second(Endpoint endpoint) {
  const auto client = co_await browse(endpoint);
  const auto one = co_await next(*client.browser);
  EXPECT_TRUE(one && one->delivery.body == "one" && one->delivery.redelivered);
  EXPECT_EQ(one->messages_behind, 1U);
  const auto two = co_await next(*client.browser);
  EXPECT_TRUE(two && two->delivery.body.empty() && two->delivery.delivery_tag == 2);
  const auto removed = co_await client.browser->remove(std::array{std::uint64_t{2}});
  EXPECT_TRUE(removed);
  const auto none = co_await next(*client.browser);
  EXPECT_FALSE(none);
  const auto finished = co_await client.browser->finish();
  EXPECT_TRUE(finished);
}

TEST_F(BrowserTest, RemovesWhatItIsToldToAndPutsTheRestBack) {
  run(give_two(broker_), remove_the_second(broker_.endpoint()));
}

Task<void> give_two_of_a_quorum_queue(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_channel();
  co_await broker.expect(AMQP_BASIC_GET_METHOD);
  co_await broker.send(get_ok(1, 1, "one"));
  co_await broker.expect(AMQP_BASIC_GET_METHOD);
  co_await broker.send(get_ok(2, 0, "two"));
  co_await broker.expect(AMQP_BASIC_ACK_METHOD);
  co_await broker.expect(AMQP_BASIC_ACK_METHOD);
  co_await broker.expect(AMQP_QUEUE_DECLARE_METHOD);  // not basic.get, which takes a message
  co_await broker.send(test::declare_ok(1, "letters"));
  co_await broker.expect(AMQP_CHANNEL_CLOSE_METHOD);  // nothing is put back
  co_await broker.send(test::channel_close_ok(1));
}

Task<void> begin_to_remove_both(Endpoint endpoint) {
  const auto client = co_await browse(endpoint, 60s, QueueType::quorum);
  co_await next(*client.browser);
  co_await next(*client.browser);
  const auto begun = client.browser->begin_to_remove(std::array<std::uint64_t, 2>{1, 2});
  EXPECT_TRUE(begun);
  const auto finished = co_await client.browser->finish();
  EXPECT_TRUE(finished);
}

TEST_F(BrowserTest, BeginsToRemoveWithoutTakingAMessage) {
  run(give_two_of_a_quorum_queue(broker_), begin_to_remove_both(broker_.endpoint()));
}

Task<void> give_undecodable(FakeBroker& broker) {
  co_await broker.accept_and_open({.frame_max = 4'096});
  co_await broker.open_channel();
  co_await broker.expect(AMQP_BASIC_GET_METHOD);
  co_await broker.send(get_ok(1, 1, "flag", "\4\2\2id"sv));
  co_await broker.expect(AMQP_BASIC_GET_METHOD);
  co_await broker.send(get_ok(2, 0, "large", "\x20\0\0\0\x27\x10"s + std::string(10'000, '\0')));
  co_await broker.expect(AMQP_BASIC_ACK_METHOD);
  co_await broker.expect(AMQP_QUEUE_DECLARE_METHOD);
  co_await broker.send(test::declare_ok(1, "letters"));
  co_await broker.expect(AMQP_CHANNEL_CLOSE_METHOD);
  co_await broker.send(test::channel_close_ok(1));
}

Task<void> remove_an_undecodable_one(Endpoint endpoint) {
  const auto client = co_await browse(endpoint);
  const auto flag = co_await next(*client.browser);
  EXPECT_EQ(flag->delivery.body, "flag");
  EXPECT_EQ(flag->delivery.properties.correlation_id, "id");
  EXPECT_TRUE(flag->delivery.undecodable);
  const auto large = co_await next(*client.browser);
  EXPECT_EQ(large->delivery.body, "large");
  EXPECT_TRUE(large->delivery.undecodable);
  const auto removed = co_await client.browser->remove(std::array{std::uint64_t{1}});
  EXPECT_TRUE(removed);
  const auto finished = co_await client.browser->finish();
  EXPECT_TRUE(finished);
}

TEST_F(BrowserTest, GetsPastWhatCannotBeDecodedAndRemovesIt) {
  run(give_undecodable(broker_), remove_an_undecodable_one(broker_.endpoint()));
}

Task<void> refuse(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_channel();
  co_await broker.expect(AMQP_BASIC_GET_METHOD);
  co_await broker.send(test::channel_close(1, 404, "NOT_FOUND - no queue"));
  co_await broker.expect(AMQP_CHANNEL_CLOSE_OK_METHOD);
}

Task<void> browse_nothing(Endpoint endpoint) {
  const auto client = co_await browse(endpoint);
  for (int again = 0; again < 2; ++again) {
    const auto taken = co_await client.browser->next();
    EXPECT_FALSE(taken);
    EXPECT_EQ(taken.error().fault, Fault::refused);
    EXPECT_EQ(taken.error().reply_code, 404);
    EXPECT_EQ(taken.error().what, "queue 'letters': NOT_FOUND - no queue");
  }
  const auto finished = co_await client.browser->finish();
  EXPECT_EQ(finished.error().reply_code, 404);
  const auto removed = co_await client.browser->remove(std::array{std::uint64_t{1}});
  EXPECT_EQ(removed.error().reply_code, 404);
  const auto begun = client.browser->begin_to_remove(std::array{std::uint64_t{1}});
  EXPECT_EQ(begun.error().reply_code, 404);
  EXPECT_TRUE(client.connection->is_open());
}

TEST_F(BrowserTest, IsRefusedByNameWhereThereIsNoQueue) {
  run(refuse(broker_), browse_nothing(broker_.endpoint()));
}

Task<void> be_silent(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_channel();
  co_await broker.expect(AMQP_BASIC_GET_METHOD);
  // A message that does not come whole.
  co_await broker.send(get_ok(1, 0, "whole").substr(0, 60));
  co_await broker.expect_hang_up();
}

Task<void> wait_in_vain(Endpoint endpoint) {
  const auto client = co_await browse(endpoint, 50ms);
  const auto taken = co_await client.browser->next();
  EXPECT_FALSE(taken);
  EXPECT_EQ(taken.error().fault, Fault::link_lost);
  EXPECT_NE(taken.error().what.find("'letters': no answer to basic.get"), std::string::npos);
  EXPECT_FALSE(client.connection->is_open());
}

TEST_F(BrowserTest, FailsItsConnectionWhenAMessageDoesNotComeWholeInTime) {
  run(be_silent(broker_), wait_in_vain(broker_.endpoint()));
}

Task<void> hang_up(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_channel();
  co_await broker.expect(AMQP_BASIC_GET_METHOD);
  broker.reset();
}

Task<void> lose_the_link(Endpoint endpoint) {
  const auto client = co_await browse(endpoint);
  EXPECT_EQ((co_await client.browser->next()).error().fault, Fault::link_lost);
}

TEST_F(BrowserTest, WakesWhenTheConnectionIsLost) {
  run(hang_up(broker_), lose_the_link(broker_.endpoint()));
}

Task<void> give_unasked(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_channel();
  co_await broker.send(get_ok(1, 0, "unasked"));
  co_await broker.expect_hang_up();
}

Task<void> be_given_unasked(Endpoint endpoint) {
  const auto client = co_await browse(endpoint);
  while (client.connection->is_open()) co_await test::yield();
  EXPECT_NE(client.connection->failure()->what.find("basic.get-ok when it was not expected"),
            std::string::npos);
  co_await test::yield();
}

TEST_F(BrowserTest, RefusesAMessageThatItDidNotAskFor) {
  run(give_unasked(broker_), be_given_unasked(broker_.endpoint()));
}

}  // namespace
}  // namespace amqp
