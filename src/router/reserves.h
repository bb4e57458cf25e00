#pragma once

// What the router needs of a broker beside the flow's port (service/broker.h): taking messages out
// of the queues in which it keeps what a partition does not take now.
//
// Threads: one executor. Everything that suspends ends within the adapter's deadlines.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "amqp/error.h"
#include "amqp/message.h"
#include "service/broker.h"

namespace inventory::router {

using service::Task;

// Reply codes (AMQP 0-9-1, 1.2: not-found, resource-locked).
inline constexpr std::uint16_t kNotFound = 404;
inline constexpr std::uint16_t kLocked = 405;

// How many messages can be removed at once; see amqp/browser.h.
inline constexpr std::size_t kTakenAtOnceMax = 16;

// Reserve: a queue that is read from its head. What was taken but not removed is put back when this
// ends in any way.
class Reserve {
 public:
  Reserve() = default;
  Reserve(const Reserve&) = delete;
  Reserve& operator=(const Reserve&) = delete;
  virtual ~Reserve() = default;

  // The next message; empty if there is none. After an error the reserve is unusable.
  virtual Task<amqp::Result<std::optional<amqp::Delivery>>> next() = 0;

  // Removes at most kTakenAtOnceMax messages: they are gone when the following next() returns.
  virtual amqp::Result<void> remove(std::span<const std::uint64_t> delivery_tags) = 0;
};

class Reserves {
 public:
  Reserves() = default;
  Reserves(const Reserves&) = delete;
  Reserves& operator=(const Reserves&) = delete;
  virtual ~Reserves() = default;

  // At most one reserve of a queue is open, of all routers.
  // Errors: refused, kNotFound, if the queue does not exist; refused, kLocked, if another router
  // reads it.
  virtual Task<amqp::Result<std::unique_ptr<Reserve>>> open(std::string queue) = 0;

  // How many consumers a queue has, those of other routers included.
  virtual Task<amqp::Result<std::uint32_t>> consumers(std::string queue) = 0;

  // Ends all current waits with link_lost. Reserves opened later are not affected.
  virtual void drop() = 0;
};

}  // namespace inventory::router
