#pragma once

// What the router needs of a broker beside the flow's port (service/broker.h): to take messages out
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

// Removed at once at most; see amqp/browser.h.
inline constexpr std::size_t kTakenAtOnceMax = 16;

// Reserve: a queue that is read from its head. What was taken and not removed is put back when this
// ends, however it ends.
class Reserve {
 public:
  Reserve() = default;
  Reserve(const Reserve&) = delete;
  Reserve& operator=(const Reserve&) = delete;
  virtual ~Reserve() = default;

  // The next message; nothing if there is no other. After an error it is of no use any more.
  virtual Task<amqp::Result<std::optional<amqp::Delivery>>> next() = 0;

  // Removes at most kTakenAtOnceMax: they are gone when the next() after it returns.
  virtual amqp::Result<void> remove(std::span<const std::uint64_t> delivery_tags) = 0;
};

class Reserves {
 public:
  Reserves() = default;
  Reserves(const Reserves&) = delete;
  Reserves& operator=(const Reserves&) = delete;
  virtual ~Reserves() = default;

  // A queue that does not exist shows in next(): refused, 404.
  virtual Task<amqp::Result<std::unique_ptr<Reserve>>> open(std::string queue) = 0;

  // Whatever waits for one wakes with link_lost. Those that are opened later are new.
  virtual void drop() = 0;
};

}  // namespace inventory::router
