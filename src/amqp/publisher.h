#pragma once

// Publisher: sends messages, and tells what the broker answers for each.
//
// Invariants:
//   1. A message is settled only by its own confirm: the broker's confirms come out of order, and
//      one without `multiple` says nothing of lower tags.
//   2. While the broker blocks the connection (memory or disk alarm) nothing new is written, and
//      the confirm deadline of publish() does not run.
//
// Owns:     its channel, in confirm mode. The connection is kept alive by it.
// Threads:  one object on the connection's executor.
// Suspends: open(), publish(), send(). Destroyed or lost meanwhile: what was sent is unknown.
// Errors:   link_lost, also when a confirm does not come within the deadline of publish(): the
//           connection is failed then, since what it answers is unknown; refused; stopping.
// Not:      does not publish again.

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

// The message of a token, which its sender chose; nullptr if it is not to be sent any more. Asked
// when the message is written, which may be long after send() was called.
using FindMessage = std::function<const Message*(std::uint64_t token)>;

struct PublisherOptions {
  // Of publish(): without any confirm while some are missing.
  std::chrono::milliseconds confirm_timeout{30'000};
  // Of send(): what became of each message, in the turn of the event loop in which the broker says
  // it. Must not call the publisher, nor destroy it. Not called any more once on_over was.
  OnSettled on_settled = nullptr;
  // Called once, when the publisher is lost or refused; not when it is destroyed. Like on_settled.
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

  // Sends all messages, in order, and waits until each is settled. One answer a message, in the
  // order of the messages. A message without message_id gets a unique one, since a returned message
  // is recognised by it, unless it keeps its properties. The messages stay valid until the call
  // returns. One caller of publish() and send() at a time.
  Task<Result<std::vector<Settlement>>> publish(std::span<const Message> messages);

  // Sends the messages of these tokens (below 2^63) in order, without waiting for answers: waits
  // only while the broker blocks the connection, or the socket takes no more. Returns how many were
  // written: fewer than there are after stop_sending(). The tokens and `find` outlive the call.
  Task<Result<std::size_t>> send(std::span<const std::uint64_t> tokens, const FindMessage& find);

  // Ends a send() that waits. What was sent is still told of. Idempotent.
  void stop_sending();

  // Messages of send() and publish() that the broker has not answered for.
  std::size_t unsettled() const;

 private:
  std::shared_ptr<PublisherImpl> impl_;
};

}  // namespace amqp
