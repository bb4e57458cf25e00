#include "amqp/connection.h"

#include <gtest/gtest.h>

#include "amqp/consumer.h"
#include "amqp/publisher.h"
#include "amqp/testing/fake_broker.h"

namespace amqp {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using test::FakeBroker;

const ConnectionOptions kOptions{};

class ConnectionTest : public test::FakeBrokerTest {};

Task<Result<std::shared_ptr<Connection>>> open(Endpoint endpoint, ConnectionOptions options = {}) {
  const Host host = endpoint.hosts.front();
  return Connection::open(std::move(endpoint), host, std::move(options));
}

Task<std::shared_ptr<Connection>> connect(Endpoint endpoint, ConnectionOptions options = {}) {
  auto connection = co_await open(std::move(endpoint), std::move(options));
  if (!connection) throw std::runtime_error(connection.error().what);
  co_return *connection;
}

// ---- the handshake

Task<void> read_start_ok(FakeBroker& broker) {
  co_await broker.accept();
  co_await broker.send(test::start());
  const auto start_ok = co_await broker.expect(AMQP_CONNECTION_START_OK_METHOD);
  for (const auto& text : {"\x0F"
                           "connection_nameS\0\0\0\4mine"s,
                           "\x12"
                           "connection.blockedt\1"s,
                           "\x16"
                           "consumer_cancel_notifyt\1"s,
                           "\x0A"
                           "basic.nackt\1"s,
                           "\x12"
                           "publisher_confirmst\1"s,
                           "\x1C"
                           "authentication_failure_closet\1"s,
                           "\5PLAIN\0\0\0\x0D\0user\0pass\1wd"s}) {
    EXPECT_NE(start_ok.payload.find(text), std::string::npos) << text;
  }
  co_await broker.send(test::tune({.channel_max = 7, .frame_max = 8'192, .heartbeat_seconds = 9}));
  const auto tune_ok = co_await broker.expect(AMQP_CONNECTION_TUNE_OK_METHOD);
  EXPECT_EQ(tune_ok.payload.substr(4), "\0\7\0\0\x20\0\0\5"s);
  const auto open = co_await broker.expect(AMQP_CONNECTION_OPEN_METHOD);
  EXPECT_EQ(open.payload.substr(4), "\3vho\0\0"s);
  co_await broker.send(test::open_ok());
}

Task<void> open_as_user(Endpoint endpoint) {
  endpoint.user = "user";
  endpoint.password = "pass\1wd";
  endpoint.vhost = "vho";
  endpoint.heartbeat = 5s;
  const auto connection = co_await open(endpoint, {.name = "mine", .tls = {}});
  EXPECT_TRUE(connection) << connection.error().what;
}

TEST_F(ConnectionTest, SaysWhoItIsAndWhatItCanAndAgreesToTheLowerLimits) {
  run(read_start_ok(broker_), open_as_user(broker_.endpoint()));
}

Task<void> refuse(FakeBroker& broker) {
  co_await broker.accept();
  co_await broker.send(test::start());
  co_await broker.expect(AMQP_CONNECTION_START_OK_METHOD);
  co_await broker.send(test::close_connection(403, "ACCESS_REFUSED - no"));
  co_await broker.expect(AMQP_CONNECTION_CLOSE_OK_METHOD);
}

Task<void> expect_error(Endpoint endpoint, ConnectionOptions options, Fault fault,
                        std::uint16_t reply_code, std::string text) {
  const auto connection = co_await open(endpoint, std::move(options));
  EXPECT_FALSE(connection);
  if (connection) co_return;
  const Error& error = connection.error();
  EXPECT_EQ(error.fault, fault) << error.what;
  EXPECT_EQ(error.reply_code, reply_code);
  EXPECT_NE(error.what.find(text), std::string::npos) << error.what;
  EXPECT_NE(error.what.find(endpoint.hosts.front().name), std::string::npos) << error.what;
  EXPECT_EQ(error.what.find(endpoint.password), std::string::npos) << error.what;
}

TEST_F(ConnectionTest, IsRefusedInTheBrokersWords) {
  run(refuse(broker_),
      expect_error(broker_.endpoint(), kOptions, Fault::refused, 403, "ACCESS_REFUSED - no"));
}

Task<void> say(FakeBroker& broker, std::string bytes) {
  co_await broker.accept();
  co_await broker.send(std::move(bytes));
}

TEST_F(ConnectionTest, NeedsPlainAuthentication) {
  run(say(broker_, test::start("AMQPLAIN EXTERNAL XPLAIN")),
      expect_error(broker_.endpoint(), kOptions, Fault::refused, 0, "PLAIN"));
}

TEST_F(ConnectionTest, GivesUpOnAnotherVersionOfTheProtocol) {
  run(say(broker_, "AMQP\0\0\x9\0"s),
      expect_error(broker_.endpoint(), kOptions, Fault::link_lost, 0, "does not speak AMQP 0-9-1"));
}

TEST_F(ConnectionTest, GivesUpOnABrokerThatAnswersOutOfOrder) {
  run(say(broker_, test::tune({})),
      expect_error(broker_.endpoint(), kOptions, Fault::link_lost, 0, "503: connection.tune"));
}

TEST_F(ConnectionTest, GivesUpOnABrokerThatDoesNotAnswer) {
  run(broker_.accept(),
      expect_error(broker_.endpoint(), {.name = {}, .connect_timeout = 50ms, .tls = {}},
                   Fault::link_lost, 0, "connection.start within 50 ms"));
}

TEST_F(ConnectionTest, SaysThatNobodyListens) {
  const auto endpoint = broker_.endpoint();
  broker_.stop_listening();
  run(test::yield(), expect_error(endpoint, kOptions, Fault::link_lost, 0, "cannot connect"));
}

TEST_F(ConnectionTest, SaysThatThereIsNoSuchHost) {
  auto endpoint = broker_.endpoint();
  endpoint.hosts.front().name = "no-such-host.invalid";
  run(test::yield(), expect_error(endpoint, kOptions, Fault::link_lost, 0, "host not found"));
}

// ---- the end of a connection

Task<void> shut_down(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_consumer();
  co_await broker.open_publisher();
  co_await broker.receive_messages(1);
  co_await broker.send(test::close_connection(320, "CONNECTION_FORCED"));
  co_await broker.expect(AMQP_CONNECTION_CLOSE_OK_METHOD);
}

void expect_forced(const Error& error) {
  EXPECT_EQ(error.fault, Fault::link_lost);
  EXPECT_EQ(error.reply_code, 320);
  EXPECT_NE(error.what.find("CONNECTION_FORCED"), std::string::npos) << error.what;
}

Task<void> receive_until_forced(Consumer& consumer, bool& ended) {
  const auto received = co_await consumer.receive(1);
  EXPECT_FALSE(received);
  expect_forced(received.error());
  ended = true;
}

Task<void> lose_everything(Endpoint endpoint) {
  const auto connection = co_await connect(endpoint);
  auto consumer = co_await Consumer::open(*connection, {.queue = "q"});
  auto publisher = co_await Publisher::open(*connection, {});
  EXPECT_TRUE(consumer && publisher);
  bool ended = false;
  co_await test::start_beside(receive_until_forced(**consumer, ended));
  const std::vector<Message> messages(1);
  const auto published = co_await (*publisher)->publish(messages);
  EXPECT_FALSE(published);
  expect_forced(published.error());
  co_await test::yield();
  EXPECT_TRUE(ended) << "receive() did not wake";
  expect_forced(connection->failure().value_or(Error{}));
  EXPECT_FALSE(connection->is_open());
  expect_forced((co_await connection->ensure_queue("q", QueueType::classic)).error());
  expect_forced((co_await connection->declare_reply_queue()).error());
  expect_forced((co_await (*consumer)->receive(1)).error());
  expect_forced((co_await (*publisher)->publish(messages)).error());
  expect_forced((co_await Consumer::open(*connection, {.queue = "q"})).error());
  (*consumer)->acknowledge_up_to(1);
  (*consumer)->stop();
  co_await connection->close();
}

TEST_F(ConnectionTest, WakesEverythingThatWaitsWhenTheBrokerShutsDown) {
  run(shut_down(broker_), lose_everything(broker_.endpoint()));
}

Task<void> say_goodbye(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_consumer();
  co_await broker.expect(AMQP_CONNECTION_CLOSE_METHOD);
  co_await broker.send(
      test::delivery(1, 1, "too late") +
      test::frame(0, AMQP_CONNECTION_CLOSE_OK_METHOD, amqp_connection_close_ok_t{}));
}

Task<void> close_twice(Endpoint endpoint) {
  const auto connection = co_await connect(endpoint);
  const auto consumer = co_await Consumer::open(*connection, {.queue = "q"});
  EXPECT_TRUE(consumer);
  co_await connection->close();
  EXPECT_FALSE(connection->is_open());
  co_await connection->close();
  EXPECT_EQ((co_await (*consumer)->receive(1)).error().fault, Fault::link_lost);
}

TEST_F(ConnectionTest, SaysGoodbyeOnce) {
  run(say_goodbye(broker_), close_twice(broker_.endpoint()));
}

Task<void> open_consumer_and_wait_for_the_end(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_consumer();
  co_await broker.expect_hang_up();
}

Task<void> destroy_connection(std::shared_ptr<Connection> connection) {
  co_await test::yield();
  connection.reset();
}

Task<void> outlive_connection(Endpoint endpoint) {
  auto connection = co_await connect(endpoint);
  const auto consumer = co_await Consumer::open(*connection, {.queue = "q"});
  co_await test::start_beside(destroy_connection(std::exchange(connection, nullptr)));
  const auto received = co_await (*consumer)->receive(1);
  EXPECT_FALSE(received);
  EXPECT_EQ(received.error().fault, Fault::link_lost);
}

TEST_F(ConnectionTest, ClosesItsSocketWhenItIsDestroyedThoughAConsumerIsLeft) {
  run(open_consumer_and_wait_for_the_end(broker_), outlive_connection(broker_.endpoint()));
}

// ---- heartbeats and deadlines

Task<void> fall_silent(FakeBroker& broker) {
  co_await broker.accept_and_open();
  for (int i = 0; i < 3; ++i) co_await broker.receive_heartbeat();
}

Task<void> wait_until_silence_fails(Endpoint endpoint) {
  endpoint.heartbeat = 1s;
  const auto connection = co_await connect(endpoint);
  while (connection->is_open()) co_await test::pause_for(10ms);
  const Error failure = connection->failure().value_or(Error{});
  EXPECT_EQ(failure.fault, Fault::link_lost);
  EXPECT_NE(failure.what.find("no heartbeat"), std::string::npos) << failure.what;
}

TEST_F(ConnectionTest, SendsHeartbeatsAndFailsWhenNoneComeBack) {
  run(fall_silent(broker_), wait_until_silence_fails(broker_.endpoint()));
}

Task<void> ignore_a_declaration(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_channel();
  co_await broker.expect(AMQP_QUEUE_DECLARE_METHOD);
}

Task<void> wait_for_a_declaration(Endpoint endpoint) {
  const auto connection = co_await connect(endpoint, {.name = {}, .call_timeout = 50ms, .tls = {}});
  const auto ensured = co_await connection->ensure_queue("orders", QueueType::classic);
  EXPECT_FALSE(ensured);
  EXPECT_EQ(ensured.error().fault, Fault::link_lost);
  EXPECT_NE(ensured.error().what.find("queue 'orders': no answer to queue.declare within 50 ms"),
            std::string::npos)
      << ensured.error().what;
  EXPECT_FALSE(connection->is_open());
}

TEST_F(ConnectionTest, FailsWhenACallIsNotAnswered) {
  run(ignore_a_declaration(broker_), wait_for_a_declaration(broker_.endpoint()));
}

// ---- queues and channels

Task<void> make_queue_behind_the_clients_back(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_channel();
  const auto passive = co_await broker.expect(AMQP_QUEUE_DECLARE_METHOD);
  EXPECT_EQ(passive.payload.substr(4), "\0\0\1q\1\0\0\0\0"s);
  co_await broker.send(test::channel_close(1, 404, "NOT_FOUND"));
  co_await broker.expect(AMQP_CHANNEL_CLOSE_OK_METHOD);
  co_await broker.open_channel();
  const auto active = co_await broker.expect(AMQP_QUEUE_DECLARE_METHOD);
  EXPECT_EQ(active.payload.substr(4),
            "\0\0\1q\2\0\0\0\x32\x0Cx-queue-typeS\0\0\0\6quorum"
            "\x10x-delivery-limitl\0\0\0\0\x7F\xFF\xFF\xFF"s);
  co_await broker.send(test::channel_close(1, 406, "PRECONDITION_FAILED"));
  co_await broker.expect(AMQP_CHANNEL_CLOSE_OK_METHOD);
  co_await broker.open_channel();
  co_await broker.expect(AMQP_QUEUE_DECLARE_METHOD);
  co_await broker.send(test::declare_ok(1, "q"));
  co_await broker.expect(AMQP_CHANNEL_CLOSE_METHOD);
}

Task<void> ensure(Endpoint endpoint) {
  const auto connection = co_await connect(endpoint);
  const auto ensured = co_await connection->ensure_queue("q", QueueType::quorum);
  EXPECT_TRUE(ensured) << ensured.error().what;
  co_await test::yield();
}

TEST_F(ConnectionTest, JoinsAQueueThatSomebodyMakesWhileItLooks) {
  run(make_queue_behind_the_clients_back(broker_), ensure(broker_.endpoint()));
}

Task<void> tell_a_count(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_channel();
  const auto passive = co_await broker.expect(AMQP_QUEUE_DECLARE_METHOD);
  EXPECT_EQ(passive.payload.substr(4), "\0\0\1q\1\0\0\0\0"s);
  co_await broker.send(
      test::frame(1, AMQP_QUEUE_DECLARE_OK_METHOD,
                  amqp_queue_declare_ok_t{
                      .queue = test::bytes("q"), .message_count = 12, .consumer_count = 2}));
  co_await broker.expect(AMQP_CHANNEL_CLOSE_METHOD);
}

Task<void> count(Endpoint endpoint) {
  const auto connection = co_await connect(endpoint);
  const auto counted = co_await connection->count("q");
  EXPECT_TRUE(counted == (QueueCount{.ready = 12, .consumers = 2}));
  co_await test::yield();
}

TEST_F(ConnectionTest, CountsWhatAQueueHolds) {
  run(tell_a_count(broker_), count(broker_.endpoint()));
}

Task<void> refuse_a_queue(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_channel();
  co_await broker.expect(AMQP_QUEUE_DECLARE_METHOD);
  co_await broker.send(test::channel_close(1, 403, "ACCESS_REFUSED"));
  co_await broker.expect(AMQP_CHANNEL_CLOSE_OK_METHOD);
}

Task<void> ensure_in_vain(Endpoint endpoint) {
  const auto connection = co_await connect(endpoint);
  const auto ensured = co_await connection->ensure_queue("q", QueueType::quorum);
  EXPECT_FALSE(ensured);
  EXPECT_EQ(ensured.error().fault, Fault::refused);
  EXPECT_EQ(ensured.error().reply_code, 403);
  EXPECT_TRUE(connection->is_open());
  const auto too_long = co_await connection->ensure_queue(std::string(256, 'q'), QueueType::quorum);
  EXPECT_EQ(too_long.error().fault, Fault::refused);
}

Task<void> refuse_a_queue_then_open_a_channel(FakeBroker& broker) {
  co_await refuse_a_queue(broker);
  co_await broker.open_channel();
}

TEST_F(ConnectionTest, StaysOpenWhenAQueueIsRefused) {
  run(refuse_a_queue_then_open_a_channel(broker_), ensure_in_vain(broker_.endpoint()));
}

Task<void> answer_close_late(FakeBroker& broker) {
  co_await broker.accept_and_open({.channel_max = 2});
  co_await broker.open_consumer();
  const auto close = co_await broker.expect(AMQP_CHANNEL_CLOSE_METHOD);
  EXPECT_EQ(close.channel, 1);
  const auto second = co_await broker.expect(AMQP_CHANNEL_OPEN_METHOD);
  EXPECT_EQ(second.channel, 2) << "1 is in use until close-ok";
  // What still comes for the first is skipped, and a close that crossed ours is answered.
  co_await broker.send(test::delivery(1, 1, "late") + test::channel_close(1, 404, "crossed"));
  co_await broker.expect(AMQP_CHANNEL_CLOSE_OK_METHOD);
  co_await broker.send(test::channel_open_ok(2));
  co_await broker.expect(AMQP_QUEUE_DECLARE_METHOD);
  co_await broker.send(test::declare_ok(2, "reply"));
  co_await broker.expect(AMQP_CHANNEL_CLOSE_METHOD);
  co_await broker.send(test::channel_close_ok(1) + test::channel_close_ok(2) +
                       test::blocked("seen"));
  const auto third = co_await broker.expect(AMQP_CHANNEL_OPEN_METHOD);
  EXPECT_EQ(third.channel, 1) << "free again";
}

Task<void> use_up_channels(Endpoint endpoint) {
  const auto connection =
      co_await connect(endpoint, {.name = {}, .call_timeout = 100ms, .tls = {}});
  {
    const auto consumer = co_await Consumer::open(*connection, {.queue = "q"});
    EXPECT_TRUE(consumer);
  }
  const auto queue = co_await connection->declare_reply_queue();
  EXPECT_EQ(queue.value_or(""), "reply");
  const auto third = co_await connection->declare_reply_queue();
  EXPECT_EQ(third.error().fault, Fault::refused);
  EXPECT_NE(third.error().what.find("2 channels are in use"), std::string::npos);
  while (!connection->blocked()) co_await test::yield();
  (void)co_await connection->declare_reply_queue();
}

TEST_F(ConnectionTest, UsesAChannelNumberAgainOnlyAfterCloseOk) {
  run(answer_close_late(broker_), use_up_channels(broker_.endpoint()));
}

// ---- bytes that no broker sends

struct Nonsense {
  std::string name;
  std::string bytes;
  std::string error;
};

void PrintTo(const Nonsense& nonsense, std::ostream* out) { *out << nonsense.name; }

class ConnectionNonsense : public ConnectionTest, public testing::WithParamInterface<Nonsense> {};

Task<void> say_nonsense(FakeBroker& broker, std::string bytes) {
  co_await broker.accept_and_open({.frame_max = 4'096});
  co_await broker.open_consumer();
  co_await broker.send(std::move(bytes));
  co_await broker.expect_hang_up();
}

Task<void> hear_nonsense(Endpoint endpoint, std::string text) {
  const auto connection =
      co_await connect(endpoint, {.name = {}, .body_bytes_max = 1'000, .tls = {}});
  const auto consumer = co_await Consumer::open(*connection, {.queue = "q"});
  EXPECT_TRUE(consumer);
  const auto received = co_await (*consumer)->receive(1);
  EXPECT_FALSE(received);
  if (received) co_return;
  EXPECT_EQ(received.error().fault, Fault::link_lost);
  EXPECT_NE(received.error().what.find(text), std::string::npos) << received.error().what;
  EXPECT_FALSE(connection->is_open());
}

TEST_P(ConnectionNonsense, FailsTheConnectionAndNothingElse) {
  run(say_nonsense(broker_, GetParam().bytes), hear_nonsense(broker_.endpoint(), GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    Bytes, ConnectionNonsense,
    testing::Values(
        Nonsense{"UnknownFrameType", "\4\0\0\0\0\0\0\xCE"s, "501: frame of unknown type 4"},
        Nonsense{"NoEndOctet", "\3\0\1\0\0\0\1xx"s, "501: frame does not end"},
        Nonsense{"LargerFrameThanAgreed", test::raw_frame(3, 1, std::string(4'089, 'x')),
                 "501: frame of 4097 bytes where at most 4096"},
        Nonsense{"EmptyMethod", test::raw_frame(1, 1, ""), "502"},
        Nonsense{"UnknownMethod", test::raw_frame(1, 1, "\0\x63\0\x63"s), "503: method 99.99"},
        Nonsense{"TruncatedMethod", test::raw_frame(1, 1, "\0\x3C\0\x3C\x10"s),
                 "502: method 60.60"},
        Nonsense{"MethodOfAClient", test::frame(1, AMQP_BASIC_QOS_METHOD, amqp_basic_qos_t{}),
                 "503: method 60.10"},
        Nonsense{"AnswerWithoutACall", test::declare_ok(1, "q"), "503: queue.declare-ok"},
        Nonsense{"ConfirmForAConsumer", test::ack(1, 1), "503: basic.ack"},
        Nonsense{"TuneTwice", test::tune({}), "503: connection.tune"},
        Nonsense{"ChannelThatIsNotOpen", test::deliver(9, 1), "504: frame on channel 9"},
        Nonsense{"ContentOnChannelZero", test::body(0, "x"), "505: content on channel 0"},
        Nonsense{"HeartbeatOnAChannel", test::raw_frame(8, 1, ""), "503: heartbeat"},
        Nonsense{"HeaderWithoutMethod", test::header(1, 1), "505: content header"},
        Nonsense{"HeaderTwice", test::deliver(1, 1) + test::header(1, 1) + test::header(1, 1),
                 "505: content header"},
        Nonsense{"BodyWithoutHeader", test::deliver(1, 1) + test::body(1, "x"), "505: body"},
        Nonsense{"BodyWithoutMethod", test::body(1, "x"), "505: body"},
        Nonsense{"BodyTooLong", test::deliver(1, 1) + test::header(1, 1) + test::body(1, "xx"),
                 "501: body longer"},
        Nonsense{"MethodInsideAContent", test::deliver(1, 1) + test::deliver(1, 2),
                 "505: basic.deliver inside a content"},
        Nonsense{"HeaderTooShort", test::deliver(1, 1) + test::raw_frame(2, 1, "\0\x3C"s), "502"},
        Nonsense{"LargeHeaderWithoutMethod", test::header(1, 1, std::string(8'192, '\0')),
                 "505: content header"},
        Nonsense{"LargeHeaderWithoutEndOctet",
                 test::deliver(1, 1) +
                     test::header(1, 1, std::string(8'192, '\0')).replace(8'192 + 19, 1, "x"),
                 "501: frame does not end"},
        Nonsense{"BodyLargerThanTaken", test::deliver(1, 1) + test::header(1, 1'001),
                 "a body of 1001 bytes where at most 1000 are taken"},
        Nonsense{"BodyOfAllBytes", test::deliver(1, 1) + test::header(1, ~std::uint64_t{0}),
                 "a body of 18446744073709551615 bytes"}),
    [](const auto& info) { return info.param.name; });

Task<void> reset_in_a_frame(FakeBroker& broker) {
  co_await broker.accept_and_open();
  co_await broker.open_consumer();
  co_await broker.send(test::delivery(1, 1, "message").substr(0, 40));
  co_await test::yield();
  broker.reset();
}

TEST_F(ConnectionTest, FailsWhenItIsResetInTheMiddleOfAFrame) {
  run(reset_in_a_frame(broker_), hear_nonsense(broker_.endpoint(), "cannot read"));
}

}  // namespace
}  // namespace amqp
