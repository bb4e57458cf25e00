// One conversation, repeated with a fault at each place in turn: whatever happens to its link, the
// client tells no more than the broker has said, and every waiter wakes.

#include <cstdlib>
#include <filesystem>
#include <set>

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "amqp/consumer.h"
#include "amqp/publisher.h"
#include "amqp/testing/fake_broker.h"
#include "faults/failing_calls.h"
#include "faults/link_gate.h"

namespace amqp {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using faults::Cut;
using faults::FailingCalls;
using faults::Faults;
using faults::LinkGate;
using test::FakeBroker;

constexpr std::uint16_t kPublisherChannel = 1;
constexpr std::uint16_t kConsumerChannel = 2;
constexpr std::size_t kFrameMax = 4'096;

// ---- the conversation as the client sees it

// Each step that the client was told to have succeeded, and what ended the conversation.
struct Told {
  std::vector<std::string> steps;
  std::optional<Fault> ended_by;
  std::optional<Fault> waiter_ended_by;  // a receive() beside the rest of the conversation
};

std::vector<Message> messages() {
  std::vector<Message> batch(4);
  for (Message& message : batch) message.routing_key = "replies";
  batch[0].properties.correlation_id = "1";
  batch[0].body = std::string(kFrameMax, 'x');  // two frames
  batch[1].properties.message_id = "mine";
  batch[2].body = "third";
  batch[3].properties.headers = HeaderTable();
  batch[3].properties.headers->add_string("traceparent", "00-1");
  return batch;
}

std::string text(const Delivery& delivery) {
  const Properties& properties = delivery.properties;
  return fmt::format("delivery {} of '{}', redelivered {}, reply to {}, correlation {}, headers {}",
                     delivery.delivery_tag, delivery.body, delivery.redelivered,
                     properties.reply_to.value_or("-"), properties.correlation_id.value_or("-"),
                     properties.headers.value_or(HeaderTable()).encoded());
}

std::string text(const std::vector<Settlement>& settlements) {
  std::string result = "settled";
  for (const Settlement settlement : settlements) {
    result += fmt::format(" {}", static_cast<int>(settlement));
  }
  return result;
}

// One step: its text, or the end of the conversation.
template <class T>
bool succeeded(const Result<T>& result, std::string step, Told& told) {
  if (result) {
    told.steps.push_back(std::move(step));
  } else {
    told.ended_by = result.error().fault;
  }
  return result.has_value();
}

Task<void> receive_until_the_end(Consumer& consumer, Told& told) {
  Result<std::vector<Delivery>> received;
  while (received) received = co_await consumer.receive(10);
  told.waiter_ended_by = received.error().fault;
}

Task<void> take_deliveries(Consumer& consumer, Told& told) {
  for (int missing = 3; missing > 0;) {
    const auto received = co_await consumer.receive(2);
    if (!received) {
      told.ended_by = received.error().fault;
      co_return;
    }
    for (const Delivery& delivery : *received) {
      told.steps.push_back(text(delivery));
      --missing;
    }
  }
}

Task<void> publish_and_close(Connection& connection, Consumer& consumer, Told& told) {
  const auto publisher = co_await Publisher::open(connection, {});
  if (!succeeded(publisher, "publishing", told)) co_return;
  for (const std::size_t count : {4U, 1U}) {
    auto batch = messages();
    batch.resize(count);
    const auto settled = co_await (*publisher)->publish(batch);
    if (!succeeded(settled, text(settled.value_or(std::vector<Settlement>())), told)) co_return;
  }
  consumer.acknowledge_up_to(3);
  co_await connection.close();
}

Task<void> play_client(Endpoint endpoint, Told& told) {
  const Host host = endpoint.hosts.front();
  const auto connection = co_await Connection::open(std::move(endpoint), host, {});
  if (!succeeded(connection, "connected", told)) co_return;
  const auto queue = co_await (*connection)->ensure_queue("orders", QueueType::quorum);
  if (!succeeded(queue, "queue", told)) co_return;
  const auto consumer = co_await Consumer::open(**connection, {.queue = "orders", .prefetch = 10});
  if (!succeeded(consumer, "consuming", told)) co_return;
  co_await take_deliveries(**consumer, told);
  if (told.ended_by) co_return;
  (*consumer)->acknowledge_up_to(2);
  co_await test::start_beside(receive_until_the_end(**consumer, told));
  co_await publish_and_close(**connection, **consumer, told);
  EXPECT_FALSE((*connection)->is_open() && told.ended_by == Fault::link_lost);
  if (!(*connection)->is_open()) co_await test::yield();
  EXPECT_TRUE((*connection)->is_open() || told.waiter_ended_by) << "receive() did not wake";
}

// ---- and as the broker does

std::string properties_of_a_request() {
  amqp_table_entry_t header{};
  header.key = test::bytes("traceparent");
  header.value.kind = AMQP_FIELD_KIND_UTF8;
  header.value.value.bytes = test::bytes("00-2");
  amqp_basic_properties_t properties{};
  properties._flags =
      AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_REPLY_TO_FLAG;
  properties.headers = {1, &header};
  properties.correlation_id = test::bytes("42");
  properties.reply_to = test::bytes("replies");
  std::string encoded(200, '\0');
  const int size =
      amqp_encode_properties(AMQP_BASIC_CLASS, &properties, {encoded.size(), encoded.data()});
  encoded.resize(static_cast<std::size_t>(size));
  return encoded;
}

// How many bytes the broker has sent when a step of the client's is done, for each step.
using Marks = std::vector<std::size_t>;

Task<void> play_queue(FakeBroker& broker) {
  co_await broker.open_channel();
  const auto passive = co_await broker.expect(AMQP_QUEUE_DECLARE_METHOD);
  co_await broker.send(test::channel_close(passive.channel, 404, "NOT_FOUND - no queue 'orders'"));
  co_await broker.expect(AMQP_CHANNEL_CLOSE_OK_METHOD);
  co_await broker.open_channel();
  const auto declare = co_await broker.expect(AMQP_QUEUE_DECLARE_METHOD);
  co_await broker.send(test::declare_ok(declare.channel, "orders"));
}

Task<void> play_deliveries(FakeBroker& broker, Marks& marks) {
  const auto close = co_await broker.expect(AMQP_CHANNEL_CLOSE_METHOD);
  co_await broker.send(test::channel_close_ok(close.channel));
  co_await broker.open_consumer();
  marks.push_back(broker.bytes_sent());
  for (const auto& delivery :
       {test::deliver(kConsumerChannel, 1) +
            test::header(kConsumerChannel, 9, properties_of_a_request()) +
            test::body(kConsumerChannel, "one") + test::body(kConsumerChannel, "two") +
            test::body(kConsumerChannel, "six"),
        test::delivery(kConsumerChannel, 2, ""), test::delivery(kConsumerChannel, 3, "three")}) {
    co_await broker.send(delivery);
    marks.push_back(broker.bytes_sent());
  }
  co_await broker.expect(AMQP_BASIC_ACK_METHOD);
}

Task<void> play_confirms(FakeBroker& broker, Marks& marks) {
  const auto headers = co_await broker.receive_messages(4);
  co_await broker.send(test::blocked("low on memory") + test::ack(kPublisherChannel, 2) +
                       test::unblocked() + test::returned(kPublisherChannel, "replies") +
                       test::header(kPublisherChannel, 5, headers[2].substr(12)) +
                       test::body(kPublisherChannel, "thi") + test::body(kPublisherChannel, "rd") +
                       test::nack(kPublisherChannel, 4) + test::ack(kPublisherChannel, 1) +
                       test::ack(kPublisherChannel, 3));
  marks.push_back(broker.bytes_sent());
  (void)co_await broker.receive_messages(1);
  co_await broker.send(test::ack(kPublisherChannel, 0, true));
  marks.push_back(broker.bytes_sent());
}

Task<void> play_broker(FakeBroker& broker, Marks& marks) {
  co_await broker.accept_and_open({.frame_max = kFrameMax});
  marks.push_back(broker.bytes_sent());
  co_await play_queue(broker);
  marks.push_back(broker.bytes_sent());
  co_await play_deliveries(broker, marks);
  co_await broker.open_publisher();
  marks.push_back(broker.bytes_sent());
  co_await play_confirms(broker, marks);
  co_await broker.expect(AMQP_BASIC_ACK_METHOD);
  co_await broker.expect(AMQP_CONNECTION_CLOSE_METHOD);
  co_await broker.send(
      test::frame(0, AMQP_CONNECTION_CLOSE_OK_METHOD, amqp_connection_close_ok_t{}));
}

// ---- a conversation over a link that may fail

struct Conversation {
  Told told;
  Marks marks;
  std::size_t to_client = 0;  // bytes that the gate let pass
  std::size_t to_server = 0;
  bool has_stalled = false;  // nothing happened for a while, and the broker went away
  std::string failed_call;   // the client's; empty: none
  std::string objection;     // what the broker did not expect of the client
};

// Has the gate cut the link when nothing happens for a while, once, where `may_stall`. A slow
// machine may have it cut without need.
void run_until(asio::io_context& io, const bool& done, LinkGate& gate, Conversation* may_stall) {
  while (!done) {
    const bool may_cut = may_stall != nullptr && !may_stall->has_stalled;
    if (io.run_one_for(may_cut ? std::chrono::milliseconds(20) : 30s) > 0) continue;
    ASSERT_TRUE(may_cut) << "it hangs";
    may_stall->has_stalled = true;
    gate.cut();
  }
}

enum class Stall { is_an_error, ends_the_link };

// The client's system call that fails.
struct FailingCall {
  int number;
  FailingCalls::Way way;
};

Conversation play(Faults to_client, Faults to_server, Cut cut, Stall stall = Stall::is_an_error,
                  std::optional<FailingCall> failing = {}) {
  Conversation conversation;
  asio::io_context io;
  FakeBroker broker(io);
  auto endpoint = broker.endpoint();
  LinkGate gate(io.get_executor(), {asio::ip::address_v4::loopback(), endpoint.hosts.front().port});
  gate.arm(to_client, to_server, cut);
  endpoint.hosts.front().port = gate.port();
  FailingCalls calls(gate.port());
  if (failing) calls.fail_after(failing->number, failing->way);

  bool client_is_done = false;
  bool broker_is_done = false;
  asio::co_spawn(io, play_client(endpoint, conversation.told),
                 [&](const std::exception_ptr& thrown) {
                   client_is_done = true;
                   EXPECT_FALSE(thrown) << "the client has thrown";
                 });
  asio::co_spawn(io, play_broker(broker, conversation.marks),
                 [&](const std::exception_ptr& thrown) {
                   broker_is_done = true;
                   try {
                     if (thrown) std::rethrow_exception(thrown);
                   } catch (const std::exception& exception) {
                     if (dynamic_cast<const boost::system::system_error*>(&exception) != nullptr) {
                       return;  // the link was cut
                     }
                     conversation.objection = exception.what();
                     broker.reset();
                   }
                 });
  run_until(io, client_is_done, gate, stall == Stall::ends_the_link ? &conversation : nullptr);
  conversation.failed_call = calls.disarm();
  conversation.to_client = gate.bytes_to_client();
  conversation.to_server = gate.bytes_to_server();
  gate.cut();
  broker.stop_listening();
  run_until(io, broker_is_done, gate, nullptr);
  return conversation;
}

const Conversation& undisturbed() {
  static const Conversation conversation = play({}, {}, Cut::close);
  return conversation;
}

// What may be told with so many bytes from the broker, and no more.
void expect_no_more_than_was_said(const Conversation& conversation) {
  const auto& steps = conversation.told.steps;
  const Conversation& whole = undisturbed();
  ASSERT_LE(steps.size(), whole.told.steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    EXPECT_EQ(steps[i], whole.told.steps[i]);
    EXPECT_GE(conversation.to_client, whole.marks[i]) << steps[i];
  }
  EXPECT_EQ(conversation.objection, "");
}

void expect_cut(const Conversation& conversation) {
  expect_no_more_than_was_said(conversation);
  const Told& told = conversation.told;
  const bool has_all = told.steps.size() == undisturbed().told.steps.size();
  if (has_all) {  // only the farewell was cut off
    EXPECT_EQ(told.waiter_ended_by, Fault::link_lost);
  } else {
    EXPECT_EQ(told.ended_by, Fault::link_lost);
  }
}

void expect_whole(const Conversation& conversation) {
  EXPECT_EQ(conversation.told.steps, undisturbed().told.steps);
  EXPECT_FALSE(conversation.told.ended_by);
  EXPECT_EQ(conversation.told.waiter_ended_by, Fault::link_lost)
      << "what a connection that is closed is";
  EXPECT_EQ(conversation.objection, "");
}

std::ptrdiff_t open_files() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return std::distance(begin(files), end(files));
}

// In each test run each place is met in one of the ways, by turns; on demand in all of them.
bool every_fault() { return std::getenv("INVENTORY_TEST_EVERY_FAULT") != nullptr; }

std::vector<Cut> ways_to_cut(std::size_t at) {
  if (every_fault()) return {Cut::close, Cut::reset};
  return {at % 2 == 0 ? Cut::close : Cut::reset};
}

std::vector<std::uint8_t> ways_to_flip(std::size_t at) {
  std::vector<std::uint8_t> ways{0xFF};
  for (unsigned bit = 0; bit < 8; ++bit) {
    if (every_fault() || bit == at % 8) ways.push_back(static_cast<std::uint8_t>(1U << bit));
  }
  return ways;
}

class FaultLoop : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(undisturbed().told.steps.size(), 9U) << fmt::format("{}", undisturbed().told.steps);
    expect_whole(undisturbed());
    ASSERT_EQ(undisturbed().marks.size(), 9U);
    files_before_ = open_files();
  }
  void TearDown() override { EXPECT_EQ(open_files(), files_before_) << "files were left open"; }

 private:
  std::ptrdiff_t files_before_ = 0;
};

TEST_F(FaultLoop, TellsTheSameWhereverTheBrokersBytesAreSplit) {
  expect_whole(play({.piece = 1}, {.piece = 1}, Cut::close));
  for (std::size_t at = 1; at < undisturbed().to_client; ++at) {
    SCOPED_TRACE(at);
    expect_whole(play({.split_at = at}, {}, Cut::close));
    if (HasFailure()) return;
  }
}

TEST_F(FaultLoop, TellsNoMoreThanWasSaidWhereverTheBrokersBytesAreCutOff) {
  for (std::size_t at = 0; at < undisturbed().to_client; ++at) {
    for (const Cut cut : ways_to_cut(at)) {
      SCOPED_TRACE(fmt::format("after {} bytes, {}", at, cut == Cut::close ? "FIN" : "RST"));
      expect_cut(play({.cut_after = at}, {}, cut));
      if (HasFailure()) return;
    }
  }
}

TEST_F(FaultLoop, TellsNoMoreThanWasSaidWhereverItsOwnBytesAreCutOff) {
  // Most of them are one long body.
  const std::size_t step = every_fault() ? 1 : 7;
  for (std::size_t at = 0; at < undisturbed().to_server; at += step) {
    for (const Cut cut : ways_to_cut(at)) {
      SCOPED_TRACE(fmt::format("after {} bytes, {}", at, cut == Cut::close ? "FIN" : "RST"));
      expect_cut(play({}, {.cut_after = at}, cut));
      if (HasFailure()) return;
    }
  }
}

TEST_F(FaultLoop, TellsNoMoreThanWasSaidWhicheverSystemCallFails) {
  std::set<std::string> failed;
  for (int number = 0;; ++number) {
    SCOPED_TRACE(number);
    const auto conversation =
        play({}, {}, Cut::close, Stall::is_an_error, FailingCall{number, FailingCalls::Way::fails});
    if (conversation.failed_call.empty()) break;
    failed.insert(conversation.failed_call);
    // The connection does without an option.
    conversation.failed_call == "setsockopt" ? expect_whole(conversation)
                                             : expect_cut(conversation);
    if (HasFailure()) return;
  }
  EXPECT_EQ(failed, (std::set<std::string>{"socket", "connect", "getsockopt", "setsockopt", "send",
                                           "recv"}));
}

TEST_F(FaultLoop, TellsTheSameWhicheverSystemCallIsInterrupted) {
  int number = 0;
  for (bool has_failed = true; has_failed; ++number) {
    SCOPED_TRACE(number);
    const auto conversation = play({}, {}, Cut::close, Stall::is_an_error,
                                   FailingCall{number, FailingCalls::Way::interrupted});
    has_failed = !conversation.failed_call.empty();
    expect_whole(conversation);
    if (HasFailure()) return;
  }
  EXPECT_GT(number, 10);
}

TEST_F(FaultLoop, NeitherCrashesNorHangsWhicheverOfTheBrokersBytesIsWrong) {
  for (std::size_t at = 0; at < undisturbed().to_client; ++at) {
    for (const std::uint8_t flip : ways_to_flip(at)) {
      SCOPED_TRACE(fmt::format("byte {}, bits {:02x}", at, flip));
      const auto conversation =
          play({.flip_at = at, .flip = flip}, {}, Cut::reset, Stall::ends_the_link);
      EXPECT_TRUE(conversation.told.ended_by ||
                  conversation.told.steps.size() == undisturbed().told.steps.size());
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace amqp
