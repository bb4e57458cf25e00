#include "amqp/publisher.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <gtest/gtest.h>

#include "amqp/connection_impl.h"
#include "amqp/testing/fake_broker.h"

namespace amqp {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using enum Settlement;
using test::FakeBroker;

class PublisherTest : public test::FakeBrokerTest {};

struct Client {
  std::shared_ptr<Connection> connection;
  std::unique_ptr<Publisher> publisher;
};

Task<Client> open(Endpoint endpoint, PublisherOptions options = {},
                  ConnectionOptions connection_options = {}) {
  const Host host = endpoint.hosts.front();
  auto connection =
      co_await Connection::open(std::move(endpoint), host, std::move(connection_options));
  if (!connection) throw std::runtime_error(connection.error().what);
  auto publisher = co_await Publisher::open(**connection, options);
  if (!publisher) throw std::runtime_error(publisher.error().what);
  co_return Client{*connection, std::move(*publisher)};
}

std::vector<Message> messages(std::size_t count) {
  std::vector<Message> result(count);
  for (Message& message : result) {
    message.routing_key = "q";
    message.body = "body";
  }
  return result;
}

// Takes the messages, then answers with these frames.
Task<void> take_and_answer(FakeBroker& broker, std::size_t count, std::string answer) {
  co_await broker.accept_and_open();
  co_await broker.open_publisher();
  (void)co_await broker.receive_messages(count);
  co_await broker.send(std::move(answer));
}

Task<void> expect_settlements(Endpoint endpoint, std::vector<Message> batch,
                              std::vector<Settlement> expected) {
  const auto client = co_await open(endpoint);
  const auto settlements = co_await client.publisher->publish(batch);
  EXPECT_TRUE(settlements) << settlements.error().what;
  if (settlements) {
    EXPECT_EQ(*settlements, expected);
  }
}

Task<void> expect_failure(Endpoint endpoint, std::vector<Message> batch, Fault fault,
                          std::uint16_t reply_code, std::string text,
                          PublisherOptions options = {}) {
  const auto client = co_await open(endpoint, options);
  for (int time = 0; time < 2; ++time) {
    const auto settlements = co_await client.publisher->publish(batch);
    EXPECT_FALSE(settlements);
    if (settlements) co_return;
    EXPECT_EQ(settlements.error().fault, fault);
    EXPECT_EQ(settlements.error().reply_code, reply_code);
    EXPECT_NE(settlements.error().what.find(text), std::string::npos) << settlements.error().what;
  }
}

TEST_F(PublisherTest, SettlesEachMessageHoweverTheConfirmsAreOrdered) {
  run(take_and_answer(broker_, 5,
                      test::ack(1, 2) + test::ack(1, 4) + test::ack(1, 5) + test::ack(1, 3, true)),
      expect_settlements(broker_.endpoint(), messages(5), std::vector(5, confirmed)));
}

TEST_F(PublisherTest, KeepsAMessageUnsettledUntilItsOwnAckWhenAHigherTagIsAckedAlone) {
  run(take_and_answer(broker_, 5,
                      test::ack(1, 2) + test::ack(1, 4) + test::ack(1, 5) + test::ack(1, 3) +
                          test::ack(1, 5) + test::close_connection(320, "CONNECTION_FORCED")),
      expect_failure(broker_.endpoint(), messages(5), Fault::link_lost, 320, "CONNECTION_FORCED"));
}

TEST_F(PublisherTest, TakesTagZeroForAllWhenItSaysMultiple) {
  run(take_and_answer(broker_, 3, test::ack(1, 0, true)),
      expect_settlements(broker_.endpoint(), messages(3), std::vector(3, confirmed)));
}

TEST_F(PublisherTest, TellsWhatTheBrokerCouldNotTake) {
  run(take_and_answer(broker_, 4, test::ack(1, 1) + test::nack(1, 3, true) + test::ack(1, 4)),
      expect_settlements(broker_.endpoint(), messages(4),
                         {confirmed, rejected, rejected, confirmed}));
}

Task<void> return_some(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_publisher();
  const auto headers = co_await broker.receive_messages(5);
  const auto back = [&headers](std::size_t index, std::string_view routing_key) {
    return test::returned(1, routing_key) + test::header(1, 4, headers[index].substr(12)) +
           test::body(1, "bo") + test::body(1, "dy");
  };
  co_await broker.send(test::ack(1, 3) + back(1, "q") + test::ack(1, 2) + back(4, "gone") +
                       test::ack(1, 5, true));
}

TEST_F(PublisherTest, RecognisesWhatWasReturnedByMessageIdAndRoutingKey) {
  auto batch = messages(5);
  batch[2].properties.message_id = "twin";
  batch[3].properties.message_id = "twin";
  batch[4].properties.message_id = "twin";
  batch[4].routing_key = "gone";
  run(return_some(broker_),
      expect_settlements(broker_.endpoint(), batch,
                         {confirmed, returned, confirmed, confirmed, returned}));
}

Task<void> return_strangers(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_publisher();
  (void)co_await broker.receive_messages(1);
  co_await broker.send(test::returned(1, "q") + test::header(1, 0, test::only_message_id("who")) +
                       test::returned(1, "q") + test::header(1, 0) + test::ack(1, 1));
}

TEST_F(PublisherTest, IgnoresAReturnThatItCannotPlace) {
  run(return_strangers(broker_), expect_settlements(broker_.endpoint(), messages(1), {confirmed}));
}

Task<void> return_undecodable(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_publisher();
  const auto headers = co_await broker.receive_messages(3);
  std::string with_flag = headers[0].substr(12);
  with_flag[1] = static_cast<char>(with_flag[1] | 2);
  co_await broker.send(test::returned(1, "q") + test::header(1, 4, with_flag) +
                       test::body(1, "body") + test::returned(1, "q") +
                       test::header(1, 4, "\4\0\xFF"s) + test::body(1, "body") +
                       test::ack(1, 3, true));
}

TEST_F(PublisherTest, RecognisesWhatWasReturnedByWhatOfItCanBeDecoded) {
  auto batch = messages(3);
  batch[2].keeps_properties = true;  // it has no message_id, as what came back seems to have none
  run(return_undecodable(broker_),
      expect_settlements(broker_.endpoint(), batch, {returned, confirmed, returned}));
}

TEST_F(PublisherTest, LeavesOutWhatDoesNotFitInAFrame) {
  auto batch = messages(5);
  batch[0].routing_key = std::string(256, 'q');
  batch[1].properties.reply_to = std::string(256, 'r');
  batch[3].properties.headers = HeaderTable(std::string(131'072, 'h'));
  run(take_and_answer(broker_, 2, test::ack(1, 2, true)),
      expect_settlements(broker_.endpoint(), batch,
                         {too_large, too_large, confirmed, too_large, confirmed}));
}

TEST_F(PublisherTest, FailsTheConnectionOnAConfirmForWhatItNeverSent) {
  run(take_and_answer(broker_, 1, test::ack(1, 2)),
      expect_failure(broker_.endpoint(), messages(1), Fault::link_lost, 0, "503: basic.ack"));
}

TEST_F(PublisherTest, StaysRefusedOnceItsChannelWasClosed) {
  run(take_and_answer(broker_, 1, test::channel_close(1, 404, "NOT_FOUND - no exchange")),
      expect_failure(broker_.endpoint(), messages(1), Fault::refused, 404,
                     "publisher: NOT_FOUND - no exchange"));
}

TEST_F(PublisherTest, FailsTheConnectionWhenNoConfirmComes) {
  run(take_and_answer(broker_, 2, test::ack(1, 2)),
      expect_failure(broker_.endpoint(), messages(2), Fault::link_lost, 0,
                     "no confirm for 50 ms while 1 messages wait", {.confirm_timeout = 50ms}));
}

Task<void> confirm_nothing_but_live(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_publisher();
  (void)co_await broker.receive_messages(1);
  for (int i = 0; i < 2; ++i) {
    co_await broker.receive_heartbeat();
    co_await broker.send(test::raw_frame(8, 0, ""));
  }
  co_await broker.expect_hang_up();
}

TEST_F(PublisherTest, WaitsNoLongerForAConfirmBecauseHeartbeatsGoOn) {
  Endpoint endpoint = broker_.endpoint();
  endpoint.heartbeat = 1s;
  run(confirm_nothing_but_live(broker_),
      expect_failure(endpoint, messages(1), Fault::link_lost, 0,
                     "messages wait for theirs, the first for queue q",
                     {.confirm_timeout = 1'200ms}));
}

// ---- the broker takes nothing

Task<void> block_for_a_while(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_publisher();
  (void)co_await broker.receive_messages(1);
  co_await broker.send(test::blocked("low on memory"));
  co_await test::pause_for(300ms);
  co_await broker.send(test::ack(1, 1));
  co_await test::pause_for(300ms);
  EXPECT_FALSE(broker.has_unread_bytes()) << "it wrote while blocked";
  co_await broker.send(test::unblocked());
  (void)co_await broker.receive_messages(1);
  co_await broker.send(test::ack(1, 2));
}

Task<void> publish_while_blocked(Endpoint endpoint) {
  std::vector<std::optional<std::string>> said;
  ConnectionOptions connection_options;
  connection_options.on_blocked = [&said](const auto& reason) { said.push_back(reason); };
  const auto client = co_await open(endpoint, {.confirm_timeout = 100ms}, connection_options);
  const auto batch = messages(1);
  auto settlements = co_await client.publisher->publish(batch);
  EXPECT_TRUE(settlements) << "the deadline ran while blocked: " << settlements.error().what;
  EXPECT_EQ(client.connection->blocked(), "low on memory");
  settlements = co_await client.publisher->publish(batch);
  EXPECT_TRUE(settlements) << "the deadline ran while blocked: " << settlements.error().what;
  EXPECT_EQ(client.connection->blocked(), std::nullopt);
  EXPECT_EQ(said, (std::vector<std::optional<std::string>>{"low on memory", std::nullopt}));
}

TEST_F(PublisherTest, WritesNothingAndWaitsWithoutADeadlineWhileBlocked) {
  run(block_for_a_while(broker_), publish_while_blocked(broker_.endpoint()));
}

Task<void> read_late(FakeBroker& broker, const std::size_t& most, std::size_t count) {
  co_await broker.accept_and_open();
  co_await broker.open_publisher();
  while (most == 0) co_await test::yield();
  (void)co_await broker.receive_messages(count);
  co_await broker.send(test::ack(1, count, true));
}

Task<void> watch(ConnectionImpl& connection, std::size_t& most) {
  std::size_t before = 0;
  // Full when it does not grow any more, and the socket takes no more either.
  for (int unchanged = 0; unchanged < 50;) {
    co_await test::yield();
    const std::size_t now = connection.unwritten_bytes();
    unchanged = now == before && now > 0 ? unchanged + 1 : 0;
    before = now;
  }
  most = before;
}

Task<void> publish_much(Endpoint endpoint, std::size_t& most, std::size_t count) {
  const auto client = co_await open(endpoint);
  auto batch = messages(count);
  for (Message& message : batch) message.body = std::string(100'000, 'b');
  co_await test::start_beside(watch(*client.connection->impl(), most));
  const auto settlements = co_await client.publisher->publish(batch);
  EXPECT_TRUE(settlements) << settlements.error().what;
  EXPECT_LT(most, 400'000U);
}

TEST_F(PublisherTest, HoldsOnlyASliceOfABatchWhileTheSocketIsFull) {
  std::size_t most = 0;
  run(read_late(broker_, most, 500), publish_much(broker_.endpoint(), most, 500));
}

// ---- cancellation and destruction

Task<void> confirm_late(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_publisher();
  (void)co_await broker.receive_messages(4);
  co_await broker.send(test::ack(1, 1) + test::nack(1, 2) + test::ack(1, 4) + test::nack(1, 3));
}

Task<void> give_up_and_publish_again(Endpoint endpoint) {
  using namespace boost::asio::experimental::awaitable_operators;
  const auto client = co_await open(endpoint);
  {
    const auto abandoned = messages(2);
    const auto outcome = co_await (client.publisher->publish(abandoned) || test::pause_for(20ms));
    EXPECT_EQ(outcome.index(), 1U);
  }
  const auto batch = messages(2);
  const auto settlements = co_await client.publisher->publish(batch);
  EXPECT_TRUE(settlements) << settlements.error().what;
  EXPECT_EQ(*settlements, (std::vector{rejected, confirmed}));
}

TEST_F(PublisherTest, TakesNoConfirmOfACancelledBatchForAnother) {
  run(confirm_late(broker_), give_up_and_publish_again(broker_.endpoint()));
}

Task<void> never_confirm(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_publisher();
  (void)co_await broker.receive_messages(1);
  co_await broker.expect(AMQP_CHANNEL_CLOSE_METHOD);
  co_await broker.send(test::ack(1, 1) + test::channel_close_ok(1));
}

Task<void> destroy(std::unique_ptr<Publisher> publisher) {
  co_await test::pause_for(20ms);
  publisher.reset();
}

Task<void> publish_while_destroyed(Endpoint endpoint) {
  auto client = co_await open(endpoint);
  const auto batch = messages(1);
  auto publishing = client.publisher->publish(batch);
  co_await test::start_beside(destroy(std::move(client.publisher)));
  const auto settlements = co_await std::move(publishing);
  EXPECT_FALSE(settlements);
  EXPECT_EQ(settlements.error().fault, Fault::stopping);
  co_await test::yield();
  EXPECT_TRUE(client.connection->is_open());
}

TEST_F(PublisherTest, WakesItsCallerWhenItIsDestroyed) {
  run(never_confirm(broker_), publish_while_destroyed(broker_.endpoint()));
}

}  // namespace
}  // namespace amqp
