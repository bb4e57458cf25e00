#pragma once

// Browser: goes through a queue from its head, on a channel of its own: takes messages one by one,
// removes those that the caller names, and puts the others back in place.
//
// Invariants:
//   1. Until a taken message is removed, the broker keeps it and puts it back when the channel
//      ends, however it ends.
//   2. remove() returns when the broker has removed the messages. It may take further messages for
//      that, which next() returns later. begin_to_remove() takes none: its messages are removed
//      when the following next() or finish() returns.
//   3. finish() puts the messages back in order, marked as redelivered. A quorum queue puts them
//      behind those not taken and counts the delivery; it keeps no order if the channel is lost
//      instead, or if others use the queue meanwhile. A queue of unknown type is treated as a
//      quorum queue.
//
// Owns:     its channel. The connection is kept alive by it.
// Threads:  one object on the connection's executor.
// Suspends: open(), next(), remove(), finish(). Destroyed or lost meanwhile: the broker puts
//           everything back.
// Errors:   link_lost, also if an answer does not come in time: this fails the connection;
//           refused (404: there is no such queue).
// Limits:   none on the messages held: the caller bounds them. In memory are one message, one more
//           for each kRemovedAtOnceMax that remove() removes, and the delivery tags of those held.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "amqp/connection.h"
#include "amqp/message.h"

namespace amqp {

struct BrowserOptions {
  std::string queue;
  std::optional<QueueType> type = std::nullopt;
  std::chrono::milliseconds message_timeout{60'000};   // until a message is complete
  std::chrono::milliseconds put_back_timeout{60'000};  // after that, unordered; quorum queues only
};

// A channel with more than 32 pending commands (quorum_commands_soft_limit) delays further ones to
// a quorum queue, and they are lost if the channel closes.
inline constexpr std::size_t kRemovedAtOnceMax = 16;

// A message, and the number of messages behind it in the queue.
struct Browsed {
  Delivery delivery;
  std::uint32_t messages_behind = 0;
};

class BrowserImpl;

class Browser {
 public:
  static Task<Result<std::unique_ptr<Browser>>> open(Connection& connection,
                                                     BrowserOptions options);

  explicit Browser(std::shared_ptr<BrowserImpl> impl);
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;
  ~Browser();

  // Takes the next message (basic.get); empty if the queue has no other. One caller at a time.
  Task<Result<std::optional<Browsed>>> next();

  // Removes messages that were taken (basic.ack), and waits until the broker has done it. After an
  // error it is unknown which were removed.
  Task<Result<void>> remove(std::span<const std::uint64_t> delivery_tags);

  // The same without waiting, for at most kRemovedAtOnceMax messages, and not twice without next()
  // in between. For queues to which nothing may be returned: it takes no further messages.
  Result<void> begin_to_remove(std::span<const std::uint64_t> delivery_tags);

  // Puts back everything that was taken and not removed, and waits until the broker has done it.
  // The browser cannot be used afterwards.
  Task<Result<void>> finish();

 private:
  std::shared_ptr<BrowserImpl> impl_;
};

}  // namespace amqp
