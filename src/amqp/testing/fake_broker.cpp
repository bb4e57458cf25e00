#include "amqp/testing/fake_broker.h"

#include <exception>
#include <stdexcept>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "amqp/wire.h"

namespace amqp::test {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

}  // namespace

void run(asio::io_context& io, std::vector<Task<void>> coroutines) {
  std::size_t running = coroutines.size();
  for (auto& coroutine : coroutines) {
    asio::co_spawn(io, std::move(coroutine), [&](const std::exception_ptr& thrown) {
      --running;
      try {
        if (thrown) std::rethrow_exception(thrown);
      } catch (const std::exception& exception) {
        ADD_FAILURE() << "a coroutine of the test ended with: " << exception.what();
        io.stop();
      }
    });
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (running > 0 && !io.stopped() && std::chrono::steady_clock::now() < deadline) {
    io.run_one_until(deadline);
  }
  EXPECT_EQ(running, 0U) << "coroutines of the test did not end";
}

void FakeBrokerTest::run(Task<void> broker, Task<void> client) {
  std::vector<Task<void>> both;
  both.push_back(std::move(broker));
  both.push_back(std::move(client));
  test::run(io_, std::move(both));
}

Task<void> start_beside(Task<void> coroutine) {
  asio::co_spawn(co_await asio::this_coro::executor, std::move(coroutine),
                 [](const std::exception_ptr& thrown) {
                   EXPECT_FALSE(thrown) << "a coroutine beside the test has thrown";
                 });
}

Task<void> yield() {
  for (int i = 0; i < 20; ++i) co_await asio::post(asio::use_awaitable);
}

Task<void> pause_for(std::chrono::milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

FakeBroker::FakeBroker(asio::io_context& io)
    : acceptor_(io, {asio::ip::address_v4::loopback(), 0}),
      socket_(io),
      reader_(std::size_t{1} << 20) {}

Endpoint FakeBroker::endpoint() const {
  return {.hosts = {{.name = "127.0.0.1", .port = acceptor_.local_endpoint().port()}},
          .heartbeat = std::chrono::seconds(0)};
}

Task<void> FakeBroker::accept() {
  socket_ = co_await acceptor_.async_accept(asio::use_awaitable);
  socket_.set_option(Tcp::no_delay(true));
  std::string protocol(8, '\0');
  co_await asio::async_read(socket_, asio::buffer(protocol), asio::use_awaitable);
  EXPECT_EQ(protocol, std::string("AMQP\0\0\x9\1", 8));
}

Task<void> FakeBroker::accept_and_open(Tuning tuning) {
  co_await accept();
  co_await send(start());
  co_await expect(AMQP_CONNECTION_START_OK_METHOD);
  co_await send(tune(tuning));
  co_await expect(AMQP_CONNECTION_TUNE_OK_METHOD);
  co_await expect(AMQP_CONNECTION_OPEN_METHOD);
  co_await send(open_ok());
}

Task<Received> FakeBroker::receive() {
  for (;;) {
    const auto next = reader_.next();
    if (!next) throw std::runtime_error("from the client: " + next.error());
    if (const std::optional<Frame>& whole = *next) {
      const Frame& frame = *whole;
      if (frame.type == FrameType::heartbeat) continue;
      Received received{.type = frame.type,
                        .channel = frame.channel,
                        .method = 0,
                        .payload = {frame.payload.data(), frame.payload.size()}};
      if (frame.type == FrameType::method) {
        received.method = read_integer<std::uint32_t>(frame.payload.data());
      }
      co_return received;
    }
    const auto space = reader_.space();
    reader_.commit(co_await socket_.async_read_some(asio::buffer(space.data(), space.size()),
                                                    asio::use_awaitable));
  }
}

Task<Received> FakeBroker::receive_heartbeat() {
  std::string frame(kFrameOverhead, '\0');
  co_await asio::async_read(socket_, asio::buffer(frame), asio::use_awaitable);
  EXPECT_EQ(frame, raw_frame(8, 0, ""));
  co_return Received{.type = FrameType::heartbeat, .channel = 0, .method = 0, .payload = {}};
}

Task<Received> FakeBroker::expect(std::uint32_t method) {
  auto received = co_await receive();
  if (received.method != method) {
    throw std::runtime_error(fmt::format("expected {}, received {} on channel {}",
                                         amqp_method_name(method),
                                         amqp_method_name(received.method), received.channel));
  }
  co_return received;
}

Task<void> FakeBroker::expect_hang_up() {
  bool has_hung_up = false;
  try {
    co_await receive();
  } catch (const boost::system::system_error&) {
    has_hung_up = true;
  }
  EXPECT_TRUE(has_hung_up);
}

Task<void> FakeBroker::send(std::string bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const std::size_t size = co_await socket_.async_write_some(
        asio::buffer(bytes.data() + sent, bytes.size() - sent), asio::use_awaitable);
    sent += size;
    bytes_sent_ += size;
  }
}

Task<void> FakeBroker::open_channel() {
  const auto open = co_await expect(AMQP_CHANNEL_OPEN_METHOD);
  co_await send(channel_open_ok(open.channel));
}

Task<void> FakeBroker::open_consumer() {
  co_await open_channel();
  const auto qos = co_await expect(AMQP_BASIC_QOS_METHOD);
  co_await send(frame(qos.channel, AMQP_BASIC_QOS_OK_METHOD, amqp_basic_qos_ok_t{}));
  co_await expect(AMQP_BASIC_CONSUME_METHOD);
  co_await send(frame(qos.channel, AMQP_BASIC_CONSUME_OK_METHOD,
                      amqp_basic_consume_ok_t{.consumer_tag = bytes("consumer")}));
}

Task<void> FakeBroker::open_publisher() {
  co_await open_channel();
  const auto select = co_await expect(AMQP_CONFIRM_SELECT_METHOD);
  co_await send(frame(select.channel, AMQP_CONFIRM_SELECT_OK_METHOD, amqp_confirm_select_ok_t{}));
}

Task<std::vector<std::string>> FakeBroker::receive_messages(std::size_t count) {
  std::vector<std::string> headers;
  for (std::size_t i = 0; i < count; ++i) {
    co_await expect(AMQP_BASIC_PUBLISH_METHOD);
    const auto header = co_await receive();
    if (header.type != FrameType::header) throw std::runtime_error("expected a content header");
    auto missing = read_integer<std::uint64_t>(header.payload.data() + 4);
    while (missing > 0) {
      const auto part = co_await receive();
      if (part.type != FrameType::body) throw std::runtime_error("expected a body");
      missing -= part.payload.size();
    }
    headers.push_back(header.payload);
  }
  co_return headers;
}

void FakeBroker::reset() {
  socket_.set_option(asio::socket_base::linger(true, 0));
  socket_.close();
}

amqp_bytes_t bytes(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }

std::string raw_frame(int type, std::uint16_t channel, std::string_view payload) {
  std::string result(1, static_cast<char>(type));
  append_integer(result, channel);
  append_integer(result, static_cast<std::uint32_t>(payload.size()));
  result.append(payload);
  result.push_back(kFrameEnd);
  return result;
}

std::string start(std::string_view mechanisms) {
  amqp_table_entry_t product{};
  product.key = bytes("product");
  product.value.kind = AMQP_FIELD_KIND_UTF8;
  product.value.value.bytes = bytes("fake");
  return frame(0, AMQP_CONNECTION_START_METHOD,
               amqp_connection_start_t{.version_major = 0,
                                       .version_minor = 9,
                                       .server_properties = {1, &product},
                                       .mechanisms = bytes(mechanisms),
                                       .locales = bytes("en_US")});
}

std::string tune(Tuning tuning) {
  return frame(0, AMQP_CONNECTION_TUNE_METHOD,
               amqp_connection_tune_t{.channel_max = tuning.channel_max,
                                      .frame_max = tuning.frame_max,
                                      .heartbeat = tuning.heartbeat_seconds});
}

std::string open_ok() {
  return frame(0, AMQP_CONNECTION_OPEN_OK_METHOD, amqp_connection_open_ok_t{});
}

std::string close_connection(std::uint16_t code, std::string_view text) {
  return frame(0, AMQP_CONNECTION_CLOSE_METHOD,
               amqp_connection_close_t{
                   .reply_code = code, .reply_text = bytes(text), .class_id = 0, .method_id = 0});
}

std::string blocked(std::string_view reason) {
  return frame(0, AMQP_CONNECTION_BLOCKED_METHOD, amqp_connection_blocked_t{bytes(reason)});
}

std::string unblocked() {
  return frame(0, AMQP_CONNECTION_UNBLOCKED_METHOD, amqp_connection_unblocked_t{});
}

std::string channel_open_ok(std::uint16_t channel) {
  return frame(channel, AMQP_CHANNEL_OPEN_OK_METHOD, amqp_channel_open_ok_t{});
}

std::string channel_close(std::uint16_t channel, std::uint16_t code, std::string_view text) {
  return frame(channel, AMQP_CHANNEL_CLOSE_METHOD,
               amqp_channel_close_t{
                   .reply_code = code, .reply_text = bytes(text), .class_id = 0, .method_id = 0});
}

std::string channel_close_ok(std::uint16_t channel) {
  return frame(channel, AMQP_CHANNEL_CLOSE_OK_METHOD, amqp_channel_close_ok_t{});
}

std::string declare_ok(std::uint16_t channel, std::string_view queue) {
  return frame(
      channel, AMQP_QUEUE_DECLARE_OK_METHOD,
      amqp_queue_declare_ok_t{.queue = bytes(queue), .message_count = 0, .consumer_count = 0});
}

std::string ack(std::uint16_t channel, std::uint64_t tag, bool multiple) {
  return frame(channel, AMQP_BASIC_ACK_METHOD,
               amqp_basic_ack_t{.delivery_tag = tag, .multiple = multiple ? 1 : 0});
}

std::string nack(std::uint16_t channel, std::uint64_t tag, bool multiple) {
  return frame(channel, AMQP_BASIC_NACK_METHOD,
               amqp_basic_nack_t{.delivery_tag = tag, .multiple = multiple ? 1 : 0, .requeue = 0});
}

std::string cancel(std::uint16_t channel) {
  return frame(channel, AMQP_BASIC_CANCEL_METHOD,
               amqp_basic_cancel_t{.consumer_tag = bytes("consumer"), .nowait = 1});
}

std::string cancel_ok(std::uint16_t channel) {
  return frame(channel, AMQP_BASIC_CANCEL_OK_METHOD,
               amqp_basic_cancel_ok_t{.consumer_tag = bytes("consumer")});
}

std::string deliver(std::uint16_t channel, std::uint64_t tag) {
  return frame(channel, AMQP_BASIC_DELIVER_METHOD,
               amqp_basic_deliver_t{.consumer_tag = bytes("consumer"),
                                    .delivery_tag = tag,
                                    .redelivered = 0,
                                    .exchange = {},
                                    .routing_key = bytes("q")});
}

std::string returned(std::uint16_t channel, std::string_view routing_key) {
  return frame(channel, AMQP_BASIC_RETURN_METHOD,
               amqp_basic_return_t{.reply_code = 312,
                                   .reply_text = bytes("NO_ROUTE"),
                                   .exchange = {},
                                   .routing_key = bytes(routing_key)});
}

std::string header(std::uint16_t channel, std::uint64_t body_size, std::string_view properties) {
  std::string payload;
  append_integer(payload, std::uint16_t{60});
  append_integer(payload, std::uint16_t{0});
  append_integer(payload, body_size);
  payload.append(properties);
  return raw_frame(2, channel, payload);
}

std::string body(std::uint16_t channel, std::string_view bytes) {
  return raw_frame(3, channel, bytes);
}

std::string delivery(std::uint16_t channel, std::uint64_t tag, std::string_view text) {
  return deliver(channel, tag) + header(channel, text.size()) +
         (text.empty() ? std::string() : body(channel, text));
}

std::string only_message_id(std::string_view message_id) {
  std::string properties;
  append_integer(properties, static_cast<std::uint16_t>(AMQP_BASIC_MESSAGE_ID_FLAG));
  properties.push_back(static_cast<char>(message_id.size()));
  properties.append(message_id);
  return properties;
}

}  // namespace amqp::test
