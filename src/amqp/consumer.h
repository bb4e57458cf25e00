#pragma once

// Consumer: takes deliveries from one queue, on a channel of its own.
//
// Invariants:
//   1. Deliveries are returned in the order in which the broker sent them.
//   2. A delivery tag is only valid on the consumer that returned it. A new connection has a new
//      consumer, so that a stale tag cannot be acknowledged.
//   3. Memory is bounded: while more than `buffered_bytes_max` of bodies wait to be received, the
//      connection's socket is not read (one delivery may exceed the limit).
//
// Owns:     its channel. The connection is kept alive by it.
// Threads:  one object on the connection's executor.
// Suspends: open(), receive().
// Errors:   link_lost; refused (404 queue, 403 access, cancelled by the broker because the queue
//           was deleted); stopping, once stop() was called.
// Limits:   at most `prefetch` unacknowledged deliveries.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "amqp/connection.h"
#include "amqp/message.h"

namespace amqp {

struct ConsumerOptions {
  std::string queue;
  std::uint16_t prefetch = 1;  // 1 to 65535; per consumer, since quorum queues refuse global qos
  std::size_t buffered_bytes_max = std::size_t{64} << 20;
};

class ConsumerImpl;

class Consumer {
 public:
  static Task<Result<std::unique_ptr<Consumer>>> open(Connection& connection,
                                                      ConsumerOptions options);

  explicit Consumer(std::shared_ptr<ConsumerImpl> impl);
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;
  ~Consumer();

  // Waits for at least one delivery, until `deadline` at the latest, and returns those that have
  // arrived, at most `count`; none after the deadline. One caller at a time.
  // End it with stop(), not with `receive() || timer`: deliveries taken in the turn in which the
  // timer wins would be lost until the connection closes.
  Task<Result<std::vector<Delivery>>> receive(std::size_t count,
                                              std::chrono::steady_clock::time_point deadline =
                                                  std::chrono::steady_clock::time_point::max());

  // Acknowledge all deliveries up to this tag (basic.ack, multiple), or this one alone. Both return
  // at once; the next receive() returns any error.
  void acknowledge_up_to(std::uint64_t delivery_tag);
  void acknowledge(std::uint64_t delivery_tag);

  // The number of deliveries that wait to be received.
  std::size_t waiting() const;

  // Stops consuming (basic.cancel): a waiting receive() and later ones return `stopping`. Received
  // deliveries can still be acknowledged; the others go back to the queue when the connection
  // closes. Idempotent.
  void stop();

 private:
  std::shared_ptr<ConsumerImpl> impl_;
};

}  // namespace amqp
