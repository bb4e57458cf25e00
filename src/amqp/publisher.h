#pragma once

// Publisher: sends messages and waits until the broker has answered for each.
//
// Invariants:
//   1. A message is settled only by its own confirm: the broker's confirms come out of order, and
//      one without `multiple` says nothing of lower tags.
//   2. While the broker blocks the connection (memory or disk alarm) nothing new is written, and
//      the confirm deadline does not run.
//
// Owns:     its channel, in confirm mode. The connection is kept alive by it.
// Threads:  one object on the connection's executor.
// Suspends: open(), publish(). Destroyed or lost meanwhile: what was sent is unknown.
// Errors:   link_lost, also when a confirm does not come within the deadline: the connection is
//           failed then, since what it answers is unknown; refused.
// Not:      does not publish again.

#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include "amqp/confirms.h"
#include "amqp/connection.h"
#include "amqp/message.h"

namespace amqp {

struct PublisherOptions {
  std::chrono::milliseconds confirm_timeout{30'000};  // without any confirm while some are missing
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
  // returns. One caller at a time.
  Task<Result<std::vector<Settlement>>> publish(std::span<const Message> messages);

 private:
  std::shared_ptr<PublisherImpl> impl_;
};

}  // namespace amqp
