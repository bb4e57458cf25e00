#pragma once

// What the flow needs of a broker: the port through which requests come and answers go.
//
// Threads: one executor. Everything that suspends ends within the adapter's deadlines, but for
// receive(), which waits for requests, and send() while the broker takes no messages.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "amqp/error.h"
#include "amqp/message.h"
#include "amqp/publisher.h"

namespace inventory::service {

template <class T>
using Task = boost::asio::awaitable<T>;

// Told by an outlet, in the turn of the event loop in which the broker says it. None of them may
// call the outlet or destroy it.
struct OutletEvents {
  amqp::OnSettled on_settled;                       // what became of a message
  std::function<void(const amqp::Error&)> on_lost;  // once; then nothing is told any more
  // The broker takes no messages, with its reason ("low on memory"), or takes them again (nothing).
  std::function<void(const std::optional<std::string>& reason)> on_blocked;
};

// Outlet: what messages are published over. What one outlet suffers from a message, a connection
// that is closed or that the broker does not read any more, others do not; see Link::open_outlet.
class Outlet {
 public:
  Outlet() = default;
  Outlet(const Outlet&) = delete;
  Outlet& operator=(const Outlet&) = delete;
  virtual ~Outlet() = default;

  // Sends the messages of these tokens in order; does not wait for what becomes of them. Returns
  // how many were sent: fewer than there are after stop_sending(). One caller at a time; the tokens
  // and `find` outlive the call.
  virtual Task<amqp::Result<std::size_t>> send(std::span<const std::uint64_t> tokens,
                                               const amqp::FindMessage& find) = 0;

  // Ends a send() that waits. What was sent is still told of.
  virtual void stop_sending() = 0;

  // Declares a queue unless it exists.
  virtual Task<amqp::Result<void>> ensure_queue(std::string name) = 0;

  // Declares an exchange of topics unless it exists.
  virtual Task<amqp::Result<void>> ensure_exchange(std::string name) = 0;

  // Closes in order.
  virtual Task<void> close() = 0;
};

// Link: one session with the broker for one request queue. Once receive() has returned link_lost or
// refused, the link is over; its deliveries come again on another link.
class Link {
 public:
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  virtual ~Link() = default;

  // `own`: over a connection of its own. `shared`: over a channel of one connection for all these:
  // the broker waits for a queue a channel at a time, but what makes it close a connection costs
  // them all.
  enum class Connection : std::uint8_t { own, shared };
  virtual Task<amqp::Result<std::unique_ptr<Outlet>>> open_outlet(Connection connection,
                                                                  OutletEvents events) = 0;

  // Begins to consume.
  virtual Task<amqp::Result<void>> start_receiving() = 0;

  // Waits for at least one delivery and takes what is there, at most `count`, in arrival order.
  // `stopping` once stop_receiving() was called.
  virtual Task<amqp::Result<std::vector<amqp::Delivery>>> receive(std::size_t count) = 0;

  // Deliveries that wait to be received.
  virtual std::size_t waiting() const = 0;

  // Acknowledge every delivery up to this one, or this one alone.
  virtual void acknowledge_up_to(std::uint64_t delivery_tag) = 0;
  virtual void acknowledge(std::uint64_t delivery_tag) = 0;

  // Takes no further deliveries: receive() returns `stopping` from now on. What was received can
  // still be answered and acknowledged.
  virtual void stop_receiving() = 0;

  // Gives the link up at once: whatever waits on it wakes with link_lost.
  virtual void abandon() = 0;

  // Closes in order. What was not acknowledged goes back to the queue.
  virtual Task<void> close() = 0;
};

class Broker {
 public:
  Broker() = default;
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;
  virtual ~Broker() = default;

  // Connects and sees to the queues. One try, at one of the broker's hosts.
  virtual Task<amqp::Result<std::unique_ptr<Link>>> open() = 0;
};

}  // namespace inventory::service
