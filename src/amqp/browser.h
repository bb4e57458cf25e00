#pragma once

// Browser: looks through a queue from its head, on a channel of its own: takes one message after
// the other, removes those that it is told to, and puts the others back where they were.
//
// Invariants:
//   1. What was taken stays the broker's until it is removed: it puts it back when the channel
//      ends, however it ends.
//   2. remove() returns when the broker has removed. It may take messages ahead for that, which
//      next() gives later. begin_to_remove() takes none: what it names has been removed when the
//      next() after it returns, or finish().
//   3. finish() puts back in order. What was taken is marked as redelivered. A quorum queue puts it
//      behind what was not taken, counts it, and keeps no order if it loses the channel instead,
//      or if others use the queue meanwhile. A queue of a type that is not known is taken for one.
//
// Owns:     its channel. The connection is kept alive by it.
// Threads:  one object on the connection's executor.
// Suspends: open(), next(), remove(), finish(). Destroyed or lost meanwhile: everything is put
// back. Errors:   link_lost, also when an answer does not come in time: the connection is failed
// then;
//           refused (404: there is no such queue).
// Limits:   none to what is held: the caller bounds it. One message is in memory at a time, one
//           more for each kRemovedAtOnceMax that remove() removes, and the delivery tags of those
//           held.

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
  std::chrono::milliseconds message_timeout{60'000};   // until a message is there whole
  std::chrono::milliseconds put_back_timeout{60'000};  // then without order; quorum queues only
};

// Of more than 32 commands (quorum_commands_soft_limit) a quorum queue is not told at once, and
// those that it was not told of are lost if the channel closes.
inline constexpr std::size_t kRemovedAtOnceMax = 16;

// A message, and how many are behind it in the queue.
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

  // Takes the next message (basic.get); nothing if the queue has no other. One caller at a time.
  Task<Result<std::optional<Browsed>>> next();

  // Removes messages that were taken (basic.ack), and waits until they are. After an error nobody
  // knows which are.
  Task<Result<void>> remove(std::span<const std::uint64_t> delivery_tags);

  // The same without waiting, for at most kRemovedAtOnceMax messages, and not twice without next()
  // between. Where a queue must not be given anything back: nothing is taken ahead.
  Result<void> begin_to_remove(std::span<const std::uint64_t> delivery_tags);

  // Puts back everything that was taken and not removed, and waits until the broker has done this.
  // The browser is over then.
  Task<Result<void>> finish();

 private:
  std::shared_ptr<BrowserImpl> impl_;
};

}  // namespace amqp
