#include "amqp/consumer.h"

#include <gtest/gtest.h>

#include "amqp/frame.h"
#include "amqp/testing/fake_broker.h"
#include "amqp/wire.h"

namespace amqp {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using test::FakeBroker;

class ConsumerTest : public test::FakeBrokerTest {};

// A connection with a consumer of the queue "orders".
struct Client {
  std::shared_ptr<Connection> connection;
  std::unique_ptr<Consumer> consumer;
};

Task<Client> consume(Endpoint endpoint, ConsumerOptions options = {.queue = "orders"}) {
  const Host host = endpoint.hosts.front();
  auto connection = co_await Connection::open(std::move(endpoint), host, {});
  if (!connection) throw std::runtime_error(connection.error().what);
  auto consumer = co_await Consumer::open(**connection, std::move(options));
  if (!consumer) throw std::runtime_error(consumer.error().what);
  co_return Client{*connection, std::move(*consumer)};
}

Task<std::vector<Delivery>> receive(Consumer& consumer, std::size_t count) {
  auto deliveries = co_await consumer.receive(count);
  if (!deliveries) throw std::runtime_error(deliveries.error().what);
  co_return std::move(*deliveries);
}

Task<void> deliver_three(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_channel();
  const auto qos = co_await broker.expect(AMQP_BASIC_QOS_METHOD);
  EXPECT_EQ(qos.payload.substr(4), "\0\0\0\0\x01\x02\0"s) << "258, not global";
  co_await broker.send(test::frame(1, AMQP_BASIC_QOS_OK_METHOD, amqp_basic_qos_ok_t{}));
  const auto consume = co_await broker.expect(AMQP_BASIC_CONSUME_METHOD);
  EXPECT_EQ(consume.payload.substr(4),
            "\0\0\6orders\x08"
            "consumer\0\0\0\0\0"s);
  co_await broker.send(test::frame(1, AMQP_BASIC_CONSUME_OK_METHOD, amqp_basic_consume_ok_t{}) +
                       test::delivery(1, 1, "one") + test::delivery(1, 2, "") +
                       test::delivery(1, 3, "three"));
  for (const char tag : {'\1', '\2', '\3'}) {
    const auto ack = co_await broker.expect(AMQP_BASIC_ACK_METHOD);
    EXPECT_EQ(ack.payload.substr(4), "\0\0\0\0\0\0\0"s + tag + '\1') << "multiple";
  }
}

Task<void> take_two_then_one(Endpoint endpoint) {
  const auto client = co_await consume(endpoint, {.queue = "orders", .prefetch = 258});
  std::vector<Delivery> taken = co_await receive(*client.consumer, 2);
  co_await test::yield();
  while (taken.size() < 3) {
    for (auto& delivery : co_await receive(*client.consumer, 2)) taken.push_back(delivery);
  }
  EXPECT_EQ(taken.size(), 3U);
  EXPECT_EQ(taken[0].body, "one");
  EXPECT_EQ(taken[1].body, "");
  EXPECT_EQ(taken[2].body, "three");
  for (const Delivery& delivery : taken) {
    client.consumer->acknowledge_up_to(delivery.delivery_tag);
  }
  co_await test::yield();
}

TEST_F(ConsumerTest, HandsOutInOrderAndAcknowledges) {
  run(deliver_three(broker_), take_two_then_one(broker_.endpoint()));
}

Task<void> refuse_consume(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_channel();
  co_await broker.expect(AMQP_BASIC_QOS_METHOD);
  co_await broker.send(test::frame(1, AMQP_BASIC_QOS_OK_METHOD, amqp_basic_qos_ok_t{}));
  co_await broker.expect(AMQP_BASIC_CONSUME_METHOD);
  co_await broker.send(test::channel_close(1, 404, "NOT_FOUND - no queue"));
  co_await broker.expect(AMQP_CHANNEL_CLOSE_OK_METHOD);
}

Task<void> consume_from_nothing(Endpoint endpoint) {
  const Host host = endpoint.hosts.front();
  auto connection = co_await Connection::open(std::move(endpoint), host, {});
  EXPECT_TRUE(connection);
  const auto consumer = co_await Consumer::open(**connection, {.queue = "orders"});
  EXPECT_FALSE(consumer);
  EXPECT_EQ(consumer.error().fault, Fault::refused);
  EXPECT_EQ(consumer.error().reply_code, 404);
  EXPECT_EQ(consumer.error().what, "queue 'orders': NOT_FOUND - no queue");
  EXPECT_TRUE((*connection)->is_open());
  const auto unlimited = co_await Consumer::open(**connection, {.queue = "orders", .prefetch = 0});
  EXPECT_EQ(unlimited.error().fault, Fault::refused);
}

TEST_F(ConsumerTest, IsRefusedByNameWhereThereIsNoQueue) {
  run(refuse_consume(broker_), consume_from_nothing(broker_.endpoint()));
}

Task<void> cancel(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_consumer();
  co_await broker.send(test::delivery(1, 1, "one") + test::cancel(1));
  co_await broker.expect(AMQP_CHANNEL_CLOSE_METHOD);
}

Task<void> be_refused(Endpoint endpoint, std::uint16_t reply_code, std::string text) {
  const auto client = co_await consume(endpoint);
  Result<std::vector<Delivery>> received;
  do {
    received = co_await client.consumer->receive(1);
  } while (received);
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(received.error().fault, Fault::refused);
    EXPECT_EQ(received.error().reply_code, reply_code);
    EXPECT_NE(received.error().what.find(text), std::string::npos) << received.error().what;
    received = co_await client.consumer->receive(1);
    EXPECT_FALSE(received);
  }
  EXPECT_TRUE(client.connection->is_open());
  client.consumer->acknowledge_up_to(1);
  client.consumer->stop();
  co_await test::yield();
}

TEST_F(ConsumerTest, IsRefusedByNameWhenItsQueueIsDeleted) {
  run(cancel(broker_),
      be_refused(broker_.endpoint(), 0, "queue 'orders': the broker has cancelled"));
}

Task<void> close_channel(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_consumer();
  co_await broker.send(test::channel_close(1, 406, "PRECONDITION_FAILED - unknown delivery tag"));
  co_await broker.expect(AMQP_CHANNEL_CLOSE_OK_METHOD);
}

TEST_F(ConsumerTest, StaysRefusedOnceItsChannelWasClosed) {
  run(close_channel(broker_), be_refused(broker_.endpoint(), 406, "unknown delivery tag"));
}

Task<void> cancel_on_request(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_consumer();
  co_await broker.send(test::delivery(1, 1, "one") + test::delivery(1, 2, "two"));
  co_await broker.expect(AMQP_BASIC_CANCEL_METHOD);
  co_await broker.send(test::delivery(1, 3, "crossed") + test::cancel_ok(1));
  const auto ack = co_await broker.expect(AMQP_BASIC_ACK_METHOD);
  EXPECT_EQ(ack.payload.substr(4), "\0\0\0\0\0\0\0\1\1"s);
}

Task<void> stop_then_acknowledge(Endpoint endpoint) {
  const auto client = co_await consume(endpoint);
  const auto taken = co_await receive(*client.consumer, 1);
  client.consumer->stop();
  EXPECT_EQ((co_await client.consumer->receive(1)).error().fault, Fault::stopping);
  client.consumer->stop();
  client.consumer->acknowledge_up_to(taken.front().delivery_tag);
  co_await test::yield();
}

TEST_F(ConsumerTest, AcknowledgesWhatItHandedOutAfterItWasStopped) {
  run(cancel_on_request(broker_), stop_then_acknowledge(broker_.endpoint()));
}

Task<void> expect_close(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_consumer();
  co_await broker.expect(AMQP_CHANNEL_CLOSE_METHOD);
}

Task<void> destroy(std::unique_ptr<Consumer> consumer) {
  co_await test::yield();
  consumer.reset();
}

Task<void> wait_while_destroyed(Endpoint endpoint) {
  auto client = co_await consume(endpoint);
  auto receiving = client.consumer->receive(1);
  co_await test::start_beside(destroy(std::move(client.consumer)));
  const auto received = co_await std::move(receiving);
  EXPECT_FALSE(received);
  EXPECT_EQ(received.error().fault, Fault::stopping);
  co_await test::yield();
}

TEST_F(ConsumerTest, ClosesItsChannelAndWakesItsReceiverWhenItIsDestroyed) {
  run(expect_close(broker_), wait_while_destroyed(broker_.endpoint()));
}

// ---- content that cannot be decoded, or has a large header

// Encoded properties: headers with one long string, and a correlation id behind them.
std::string large_properties(std::size_t padding) {
  HeaderTable headers;
  headers.add_string("x-pad", std::string(padding, 'A'));
  std::string properties;
  append_integer(properties, static_cast<std::uint16_t>(AMQP_BASIC_HEADERS_FLAG |
                                                        AMQP_BASIC_CORRELATION_ID_FLAG));
  append_integer(properties, static_cast<std::uint32_t>(headers.encoded().size()));
  return properties + headers.encoded() + "\2id";
}

std::string delivery_with(std::uint64_t tag, std::string_view properties, std::string_view text) {
  return test::deliver(1, tag) + test::header(1, text.size(), properties) + test::body(1, text);
}

constexpr std::uint32_t kSmallFrame = 4'096;

Task<void> deliver_between_good(FakeBroker& broker, std::vector<std::string> properties) {
  co_await broker.accept_and_open({.frame_max = kSmallFrame});
  co_await broker.open_consumer();
  std::uint64_t tag = 0;
  for (const std::string& odd : properties) {
    co_await broker.send(test::delivery(1, ++tag, "good"));
    co_await broker.send(delivery_with(++tag, odd, "odd"));
  }
  co_await broker.send(test::delivery(1, ++tag, "good"));
}

Task<void> take_odd(Endpoint endpoint, std::size_t count, std::vector<Delivery>& odd) {
  const auto client = co_await consume(endpoint);
  for (std::uint64_t tag = 1; tag <= (2 * count) + 1; ++tag) {
    auto taken = co_await receive(*client.consumer, 1);
    EXPECT_EQ(taken.front().delivery_tag, tag);
    if (tag % 2 == 0) {
      EXPECT_EQ(taken.front().body, "odd");
      odd.push_back(std::move(taken.front()));
    } else {
      EXPECT_EQ(taken.front().body, "good");
      EXPECT_FALSE(taken.front().undecodable);
    }
  }
  EXPECT_TRUE(client.connection->is_open());
}

// The first size is that of https://github.com/amqp-node/amqplib/issues/135.
TEST_F(ConsumerTest, TakesHeadersAboveTheAgreedFrameSize) {
  std::vector<std::string> properties;
  for (const std::size_t size : {4'249U - 54, 100'000U, 1'000'000U}) {
    properties.push_back(large_properties(size));
  }
  std::vector<Delivery> odd;
  run(deliver_between_good(broker_, properties),
      take_odd(broker_.endpoint(), properties.size(), odd));
  ASSERT_EQ(odd.size(), properties.size());
  for (std::size_t i = 0; i < odd.size(); ++i) {
    EXPECT_FALSE(odd[i].undecodable);
    EXPECT_EQ(odd[i].properties.correlation_id, "id");
    EXPECT_GT(odd[i].properties.headers->encoded().size(), 4'000U);
  }
}

TEST_F(ConsumerTest, LosesNothingButTheContentThatCannotBeDecoded) {
  const std::vector<std::string> properties{"\4\2\2id"s,
                                            "\4\1\2id"s,
                                            "\4\3\2id"s,
                                            "\6\0\2id\xFFq"s,
                                            "",
                                            "\x20\0\xFF\xFF\xFF\xFF"s,
                                            "\x24\0\0\0\0\4\1xZ\1\2id"s,
                                            large_properties(kHeaderFrameMax)};
  std::vector<Delivery> odd;
  run(deliver_between_good(broker_, properties),
      take_odd(broker_.endpoint(), properties.size(), odd));
  ASSERT_EQ(odd.size(), properties.size());
  for (std::size_t i = 0; i < odd.size(); ++i) {
    EXPECT_TRUE(odd[i].undecodable) << i;
    const bool tells_its_id = properties[i].contains("\2id") && i + 1 < odd.size();
    EXPECT_EQ(odd[i].properties.correlation_id == "id", tells_its_id) << i;
  }
  EXPECT_NE(odd.back().undecodable->find("bytes is too large"), std::string::npos);
}

// ---- back-pressure

constexpr std::size_t kManyMessages = 1'000;
constexpr std::size_t kBodySize = 65'536;

Task<void> send_many(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_consumer();
  for (std::size_t tag = 1; tag <= kManyMessages; ++tag) {
    co_await broker.send(test::delivery(1, tag, std::string(kBodySize, 'x')));
  }
}

// The operating system holds some megabytes in the sockets; the client a few hundred kilobytes.
constexpr std::size_t kUnderWayMax = std::size_t{20} << 20;

Task<void> take_slowly(Endpoint endpoint, FakeBroker& broker) {
  const auto client =
      co_await consume(endpoint, {.queue = "orders", .prefetch = 65'535, .buffered_bytes_max = 1});
  for (std::size_t taken = 0; taken < kManyMessages; ++taken) {
    (void)co_await receive(*client.consumer, 1);
    EXPECT_LT(broker.bytes_sent(), (taken * kBodySize) + kUnderWayMax);
    co_await test::yield();
  }
}

TEST_F(ConsumerTest, DoesNotReadTheSocketWhileTooMuchWaitsToBeTaken) {
  static_assert(kManyMessages * kBodySize > 3 * kUnderWayMax);
  run(send_many(broker_), take_slowly(broker_.endpoint(), broker_));
}

Task<void> fill(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_consumer();
  co_await broker.send(test::delivery(1, 1, "more than one byte"));
  // Ends the read that was under way while consume-ok was awaited.
  co_await test::yield();
  co_await broker.send(test::raw_frame(8, 0, ""));
}

Task<void> stay_full(Endpoint endpoint) {
  endpoint.heartbeat = 1s;
  const auto client = co_await consume(endpoint, {.queue = "orders", .buffered_bytes_max = 1});
  co_await test::pause_for(4s);
  EXPECT_TRUE(client.connection->is_open());
  EXPECT_EQ((co_await receive(*client.consumer, 1)).front().body, "more than one byte");
}

TEST_F(ConsumerTest, DoesNotMistakeItsOwnPauseForTheBrokersSilence) {
  run(fill(broker_), stay_full(broker_.endpoint()));
}

Task<void> fill_then_answer(FakeBroker& broker) {
  co_await fill(broker);
  co_await broker.open_channel();
  co_await broker.expect(AMQP_QUEUE_DECLARE_METHOD);
  co_await broker.send(test::declare_ok(2, "other"));
}

Task<void> call_while_full(Endpoint endpoint) {
  const auto client = co_await consume(endpoint, {.queue = "orders", .buffered_bytes_max = 1});
  co_await test::yield();
  const auto ensured = co_await client.connection->ensure_queue("other", QueueType::classic);
  EXPECT_TRUE(ensured) << ensured.error().what;
  EXPECT_EQ((co_await receive(*client.consumer, 1)).front().body, "more than one byte");
}

TEST_F(ConsumerTest, LetsOthersHearTheirAnswersWhileItIsFull) {
  run(fill_then_answer(broker_), call_while_full(broker_.endpoint()));
}

}  // namespace
}  // namespace amqp
