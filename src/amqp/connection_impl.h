#pragma once

// ConnectionImpl: the implementation of a Connection: its I/O loops and channels.
//
// Three coroutines keep it alive while it is open: one reads and dispatches frames, one writes the
// contents of `out_`, one sends heartbeats and checks for those of the peer. fail() ends all three.
//
// Invariants:
//   1. One write is in progress at a time; what is appended meanwhile goes out with the next.
//   2. `out_` contains whole frames only.
//   3. fail() runs no code of waiters: they wake in a later turn of the event loop. So a caller of
//      fail() is not destroyed by it.

#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "amqp/call.h"
#include "amqp/connection.h"
#include "amqp/decode.h"
#include "amqp/encode.h"
#include "amqp/frame.h"
#include "amqp/signal.h"
#include "amqp/transport.h"

namespace amqp {

class Channel;

class ConnectionImpl : public std::enable_shared_from_this<ConnectionImpl> {
 public:
  ConnectionImpl(const boost::asio::any_io_executor& executor, Endpoint endpoint, Host host,
                 ConnectionOptions options);

  // Socket, TLS, handshake. After an error the connection has failed.
  Task<Result<void>> open();
  Task<void> close();

  // The first failure stays; later ones are dropped.
  void fail(Error error);
  const std::optional<Error>& failure() const { return failure_; }
  const std::optional<std::string>& blocked() const { return blocked_; }

  const boost::asio::any_io_executor& executor() const { return executor_; }
  const ConnectionOptions& options() const { return options_; }
  std::size_t frame_max() const { return frame_max_; }
  const std::string& broker_version() const { return broker_version_; }

  // A link_lost error whose text begins with the host.
  Error link_lost(std::string_view what) const;

  // Gives the channel a number and passes it what arrives for that number, until it is released.
  Result<std::uint16_t> attach(Channel& channel);

  // expects_close_ok: channel.close was sent; the number is in use until the peer has answered.
  void release(std::uint16_t number, bool expects_close_ok);

  // Appends the frame of one method. False: see encode.h.
  template <class Method>
  bool send(std::uint16_t channel, const Method& method) {
    if (!append(out_, channel, method)) return false;
    writable_.notify();
    return true;
  }
  bool send_message(std::uint16_t channel, const Message& message,
                    std::optional<std::string_view> message_id);

  // Bytes not yet passed to the operating system.
  std::size_t unwritten_bytes() const { return out_.size() + writing_.size(); }

  // The socket is not read while anyone has paused it, unless a call waits for its answer: the
  // answer may be behind deliveries, and a timeout of the call would fail the connection.
  void pause_reading() { ++pauses_; }
  void resume_reading();

  // While one exists, reading goes on in spite of pauses.
  class PendingCall {
   public:
    explicit PendingCall(ConnectionImpl& connection) : connection_(connection) {
      ++connection_.pending_calls_;
      connection_.readable_.notify();
    }
    PendingCall(const PendingCall&) = delete;
    PendingCall& operator=(const PendingCall&) = delete;
    ~PendingCall() { --connection_.pending_calls_; }

   private:
    ConnectionImpl& connection_;
  };

 private:
  using Handled = std::expected<void, std::string>;

  Task<Result<void>> handshake(Clock::time_point deadline);
  template <class Answer>
  Task<Result<Answer>> answer(Clock::time_point deadline);
  Result<void> tune(const method::ConnectionTune& proposal);

  static Task<void> read_loop(std::shared_ptr<ConnectionImpl> self);
  static Task<void> write_loop(std::shared_ptr<ConnectionImpl> self);
  static Task<void> heartbeat_loop(std::shared_ptr<ConnectionImpl> self);
  void start(Task<void> (*loop)(std::shared_ptr<ConnectionImpl>));

  void handle_frames();
  Handled handle(const Frame& frame);
  Handled handle_connection_method(method::Incoming method);
  Handled handle_released(const Frame& frame);
  void on_connection_close(const method::ConnectionClose& close);
  void set_blocked(std::optional<std::string> reason);
  bool may_read() const { return pauses_ == 0 || pending_calls_ > 0; }

  const boost::asio::any_io_executor executor_;
  const Endpoint endpoint_;
  const Host host_;
  const ConnectionOptions options_;

  Transport transport_;
  FrameReader reader_;
  Decoder decoder_;
  std::size_t frame_max_ = kFrameMaxDefault;
  std::string broker_version_;
  std::uint16_t channel_max_;
  std::chrono::seconds heartbeat_{0};

  std::string out_;      // to be written
  std::string writing_;  // being written
  int silent_beats_ = 0;
  int pauses_ = 0;
  int pending_calls_ = 0;
  bool is_reading_ = true;
  bool is_open_ = false;       // the handshake is over
  bool is_closing_ = false;    // connection.close was sent
  bool has_farewell_ = false;  // out_ contains close-ok, to be written after the failure

  // Null: released, but close-ok has not arrived. A channel is in the map from attach() to
  // release(), which its destructor calls.
  std::map<std::uint16_t, Channel*> channels_;

  std::optional<Error> failure_;
  std::optional<std::string> blocked_;
  Call call_;
  Signal writable_;                     // out_ has bytes
  Signal readable_;                     // reading was resumed
  Signal beat_;                         // wakes the heartbeat loop early, to end it
  boost::asio::steady_timer farewell_;  // limits the time for writing close-ok
};

}  // namespace amqp
