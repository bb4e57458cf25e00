#pragma once

// Channel: one channel of a connection: makes calls with a deadline, assembles contents.
//
// Invariants:
//   1. Once over (closed by the broker or this side, or its connection failed), it stays over, and
//      keeps the first reason.
//   2. Its destructor closes it without waiting; its number is free once the broker has answered.
//
// Threads:  one object on the connection's executor.
// Suspends: open(), call(), close().
// Errors:   refused with the broker's code and words; link_lost.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "amqp/connection_impl.h"

namespace amqp {

// Content: a message that was delivered, fetched or returned. A returned one's body is dropped.
struct Content {
  std::variant<method::BasicDeliver, method::BasicGetOk, method::BasicReturn> method;
  Properties properties;
  std::string body;
  std::size_t size = 0;                                   // bytes of body and properties
  std::optional<std::string> undecodable = std::nullopt;  // see Delivery
};

class Channel {
 public:
  // what: what the channel is for; errors begin with it ("queue orders").
  Channel(std::shared_ptr<ConnectionImpl> connection, std::string what);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  virtual ~Channel();

  Task<Result<void>> open();

  // Sends a synchronous method and waits for its answer, at most call_timeout. A timeout fails the
  // connection, since the effect of the method is unknown.
  template <class Answer, class Request>
  Task<Result<Answer>> call(Request request);

  // Closes the channel and waits for channel.close-ok: by then the broker has put back what was not
  // acknowledged.
  Task<Result<void>> close();

  // Closes the channel (channel.close) without waiting.
  void end(Error error);

  const std::optional<Error>& failure() const { return failure_; }
  Error refused(std::string_view what, std::uint16_t reply_code = 0) const;

  // Called by the connection. An error fails the connection, with this text.
  using Handled = std::expected<void, std::string>;
  Handled handle(method::Incoming method);
  Handled handle(ContentHeader header, std::size_t size);
  Handled handle(std::span<const char> body);
  void on_connection_failed(const Error& error);
  virtual void on_progress() {}  // bytes were written, or the broker has blocked or unblocked

 protected:
  // A method that no call waits for: deliver, get-ok, return (content follows), get-empty, ack,
  // nack, cancel.
  // False: unexpected here, and the connection fails.
  virtual bool on_method(const method::Incoming&) { return false; }
  // NOLINTNEXTLINE(performance-unnecessary-value-param): overriders keep what they are given
  virtual void on_content(Content) {}
  // Called once, when the channel is over. Must not run waiters.
  virtual void on_over() {}

  ConnectionImpl& connection() { return *connection_; }
  std::uint16_t number() const { return number_; }

 private:
  enum class State { unattached, attached, released };

  void release(bool expects_close_ok);
  void over(Error error);
  Handled finish_content_if_complete();

  std::shared_ptr<ConnectionImpl> connection_;
  std::string what_;
  State state_ = State::unattached;
  std::uint16_t number_ = 0;
  std::optional<Error> failure_;
  Call call_;

  std::optional<Content> content_;  // a deliver, get-ok or return whose content is not complete
  bool has_header_ = false;
  std::uint64_t body_missing_ = 0;
};

template <class Answer, class Request>
Task<Result<Answer>> Channel::call(Request request) {
  if (failure_) co_return std::unexpected(*failure_);
  const ConnectionImpl::PendingCall pending(*connection_);
  call_.expect<Answer>();
  if (!connection_->send(number_, request)) {
    call_.give_up();
    co_return std::unexpected(refused("a name has more than 255 bytes"));
  }
  const auto timeout = connection_->options().call_timeout;
  auto answer = co_await call_.wait_until(Clock::now() + timeout);
  // An answer counts even if the channel was closed in the same turn.
  if (answer) co_return std::get<Answer>(std::move(*answer));
  if (failure_) co_return std::unexpected(*failure_);
  Error error = connection_->link_lost(
      fmt::format("{}: no answer to {} within {} ms", what_, Request::kName, timeout.count()));
  connection_->fail(error);
  co_return std::unexpected(std::move(error));
}

}  // namespace amqp
