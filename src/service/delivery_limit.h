#pragma once

// DeliveryLimit: whether a request queue drops (or dead-letters) a request that was delivered too
// often, as quorum queues may: without an answer to anyone. It is told what the broker says of the
// queue and how often each request was delivered, and says so in the log.
//
// What it cannot know is a policy, which the broker tells to no client: a request that was returned
// often is therefore news with every queue.
//
// Threads: one. The clock outlives it.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "amqp/message.h"
#include "amqp/queue_terms.h"
#include "service/clock.h"
#include "service/log_throttle.h"

namespace inventory::service {

class DeliveryLimit {
 public:
  DeliveryLimit(std::string queue, const Clock& clock)
      : queue_(std::move(queue)), throttle_(clock) {}

  // What the broker tells of the queue, when it was joined. Logged if it is news.
  void examined(const amqp::QueueTerms& terms);

  // Requests came. Each tells how often it was delivered before (x-delivery-count).
  void delivered(std::span<const amqp::Delivery> requests);

  // The queue's own limit, where it has one; 20 is RabbitMQ 4's for a queue that says nothing.
  std::optional<std::int64_t> limit() const { return limit_; }

  // That there is one, and what to do, in one line; empty if there is none that is known.
  std::string note() const;

 private:
  void warn(std::int64_t before);

  static constexpr std::int64_t kWarnAt = 10;  // half of RabbitMQ 4's

  const std::string queue_;
  LogThrottle throttle_;
  std::optional<std::int64_t> limit_;
  std::int64_t warn_at_ = kWarnAt;
};

}  // namespace inventory::service
