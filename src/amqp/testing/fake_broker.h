#pragma once

// FakeBroker: the broker's end of one connection, controlled by a coroutine of a test.
//
// It uses raw frames, so that it can send what no broker would. Its methods throw if the client
// does not do what the script expects; then the test fails.

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <gtest/gtest.h>

#include "amqp/connection.h"
#include "amqp/endpoint.h"
#include "amqp/frame.h"
#include "amqp/rabbitmq_c.h"

namespace amqp::test {

// Runs the coroutines to completion; fails the test if one throws or they take 20 seconds.
void run(boost::asio::io_context& io, std::vector<Task<void>> coroutines);

// Runs a coroutine beside the caller's; fails the test if it throws.
Task<void> start_beside(Task<void> coroutine);

// Lets everything that is ready on the event loop run, a few times.
Task<void> yield();

Task<void> pause_for(std::chrono::milliseconds time);

struct Received {
  FrameType type;
  std::uint16_t channel;
  std::uint32_t method;  // 0 if it is not a method
  std::string payload;
};

struct Tuning {
  std::uint16_t channel_max = 2047;
  std::uint32_t frame_max = 131'072;
  std::uint16_t heartbeat_seconds = 60;
};

class FakeBroker {
 public:
  explicit FakeBroker(boost::asio::io_context& io);

  Endpoint endpoint() const;

  // Accepts a connection and reads the protocol header.
  Task<void> accept();

  // Accepts and goes through the handshake.
  Task<void> accept_and_open(Tuning tuning = {});

  // The next frame, skipping heartbeats.
  Task<Received> receive();
  Task<Received> receive_heartbeat();

  // The next frame, which must be this method.
  Task<Received> expect(std::uint32_t method);

  // Expects the client to close the socket without another frame.
  Task<void> expect_hang_up();

  Task<void> send(std::string bytes);

  // expect() and send() for the usual start of a consumer or publisher.
  Task<void> open_channel();
  Task<void> open_consumer();
  Task<void> open_publisher();

  // Receives `count` messages (method, header and bodies). Returns the header frames' payloads.
  Task<std::vector<std::string>> receive_messages(std::size_t count);

  void reset();  // RST instead of FIN
  bool has_unread_bytes() const { return socket_.available() > 0; }
  void stop_listening() { acceptor_.close(); }
  std::size_t bytes_sent() const { return bytes_sent_; }

 private:
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::ip::tcp::socket socket_;
  FrameReader reader_;
  std::size_t bytes_sent_ = 0;
};

// FakeBrokerTest: a fake broker, and a client that talks to it.
class FakeBrokerTest : public testing::Test {
 protected:
  void run(Task<void> broker, Task<void> client);

  boost::asio::io_context io_;
  FakeBroker broker_{io_};
};

// Frames as a broker sends them.
std::string raw_frame(int type, std::uint16_t channel, std::string_view payload);

template <class Fields>
std::string frame(std::uint16_t channel, std::uint32_t method, Fields fields) {
  std::string payload(70'000, '\0');
  const int size = amqp_encode_method(method, &fields, {payload.size() - 4, payload.data() + 4});
  payload.resize(4 + static_cast<std::size_t>(size));
  for (int i = 0; i < 4; ++i) {
    payload[static_cast<std::size_t>(i)] = static_cast<char>(method >> (24 - (8 * i)));
  }
  return raw_frame(1, channel, payload);
}

amqp_bytes_t bytes(std::string_view text);

std::string start(std::string_view mechanisms = "AMQPLAIN PLAIN");
std::string tune(Tuning tuning);
std::string open_ok();
std::string close_connection(std::uint16_t code, std::string_view text);
std::string blocked(std::string_view reason);
std::string unblocked();
std::string channel_open_ok(std::uint16_t channel);
std::string channel_close(std::uint16_t channel, std::uint16_t code, std::string_view text);
std::string channel_close_ok(std::uint16_t channel);
std::string declare_ok(std::uint16_t channel, std::string_view queue);
std::string ack(std::uint16_t channel, std::uint64_t tag, bool multiple = false);
std::string nack(std::uint16_t channel, std::uint64_t tag, bool multiple = false);
std::string cancel(std::uint16_t channel);
std::string cancel_ok(std::uint16_t channel);
std::string deliver(std::uint16_t channel, std::uint64_t tag);
std::string returned(std::uint16_t channel, std::string_view routing_key);

// A content header without properties, or with encoded ones (flags and values).
std::string header(std::uint16_t channel, std::uint64_t body_size,
                   std::string_view properties = std::string_view("\0\0", 2));
std::string body(std::uint16_t channel, std::string_view bytes);
std::string delivery(std::uint16_t channel, std::uint64_t tag, std::string_view text);

// Encoded properties with only a message_id.
std::string only_message_id(std::string_view message_id);

}  // namespace amqp::test
