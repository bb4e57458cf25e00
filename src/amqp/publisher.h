#pragma once

// Publisher: sends messages, and reports the broker's answer for each.
//
// Invariants:
//   1. A message is settled only by its own confirm: confirms arrive out of order, and one without
//      `multiple` says nothing about lower tags.
//   2. While the broker blocks the connection (memory or disk alarm), no message is written, and
//      the confirm timeout of publish() does not run.
//
// Owns:     its channel, in confirm mode. The connection is kept alive by it.
// Threads:  one object on the connection's executor.
// Suspends: open(), publish(), send(). Destroyed or lost meanwhile: the outcome of what was sent is
//           unknown.
// Errors:   link_lost, also if no confirm arrives within the timeout of publish(): this fails the
//           connection, since the answer is unknown; refused; stopping.
// Not:      does not retry.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "amqp/confirms.h"
#include "amqp/connection.h"
#include "amqp/message.h"

namespace amqp {

// Returns the message for a token, which the sender chose; nullptr if it is no longer to be sent.
// Called when the message is written, which may be long after the call of send().
using FindMessage = std::function<const Message*(std::uint64_t token)>;

struct PublisherOptions {
  // For publish(): how long no confirm may arrive while some are outstanding.
  std::chrono::milliseconds confirm_timeout{30'000};
  // For send(): called for each message, in the turn of the event loop in which its answer arrives.
  // Must neither call nor destroy the publisher. Not called after on_over.
  OnSettled on_settled = nullptr;
  // Called once, when the publisher is lost or refused; not when it is destroyed. Must not call or
  // destroy the publisher either.
  std::function<void(const Error&)> on_over = nullptr;
};

class PublisherImpl;

class Publisher {
 public:
  static Task<Result<std::unique_ptr<Publisher>>> open(Connection& connection,
                                                       PublisherOptions options);

  explicit Publisher(std::shared_ptr<PublisherImpl> impl);
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;
  ~Publisher();

  // Sends all messages, in order, and waits until each is settled. Returns one answer for each
  // message, in order. A message without message_id gets a unique one, by which it is recognised if
  // returned, unless it keeps its properties. The messages outlive the call. One caller of
  // publish() and send() at a time.
  Task<Result<std::vector<Settlement>>> publish(std::span<const Message> messages);

  // Sends the messages of these tokens (below 2^63) in order, without waiting for answers: waits
  // only while the broker blocks the connection or the socket accepts no more. Returns the number
  // written: after stop_sending(), possibly fewer than given. The tokens and `find` outlive the
  // call.
  Task<Result<std::size_t>> send(std::span<const std::uint64_t> tokens, const FindMessage& find);

  // Ends a waiting send(). What was sent is still reported. Idempotent.
  void stop_sending();

  // The number of messages of send() and publish() that the broker has not answered.
  std::size_t unsettled() const;

 private:
  std::shared_ptr<PublisherImpl> impl_;
};

}  // namespace amqp
