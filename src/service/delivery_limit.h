#pragma once

// DeliveryLimit: warns if a request queue drops (or dead-letters) a request that was delivered too
// often, as quorum queues may: nobody gets a reply then. It is told what the broker says of the
// queue and how often each request was delivered, and writes to the log.
//
// It cannot know of a policy, which the broker does not tell its clients. So it warns of a request
// that was returned often whatever the queue is.
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

  // What the broker says of the queue, after connecting. Logged if it is new.
  void examined(const amqp::QueueTerms& terms);

  // Requests came, each with the count of earlier deliveries (x-delivery-count).
  void delivered(std::span<const amqp::Delivery> requests);

  // The queue's own limit, if it has one; 20 is the default of RabbitMQ 4.
  std::optional<std::int64_t> limit() const { return limit_; }

  // A line that says that there is a limit, and what it means; empty if none is known.
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
