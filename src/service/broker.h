#pragma once

// What the flow needs of a broker: the port through which requests come and answers go.
//
// Threads: one executor. Everything that suspends ends within the adapter's deadlines, except
//          receive(), which waits for requests, and send() while the broker takes no messages.

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

// Called by an outlet, in the turn of the event loop in which the broker's answer comes. None of
// them may call the outlet or destroy it.
struct OutletEvents {
  amqp::OnSettled on_settled;                       // what became of a message
  std::function<void(const amqp::Error&)> on_lost;  // once; no other call follows
  // The broker takes no messages, with its reason ("low on memory"), or takes them again (empty).
  std::function<void(const std::optional<std::string>& reason)> on_blocked;
};

// Outlet: publishes messages. If the broker closes its connection because of a message, or stops
// reading it, other outlets are not affected; see Link::open_outlet.
class Outlet {
 public:
  Outlet() = default;
  Outlet(const Outlet&) = delete;
  Outlet& operator=(const Outlet&) = delete;
  virtual ~Outlet() = default;

  // Sends the messages of these tokens in order; does not wait for the confirms. Returns how many
  // were sent: fewer than given after stop_sending(). One caller at a time; the tokens and `find`
  // outlive the call.
  virtual Task<amqp::Result<std::size_t>> send(std::span<const std::uint64_t> tokens,
                                               const amqp::FindMessage& find) = 0;

  // Ends a send() that waits. What was sent is still reported.
  virtual void stop_sending() = 0;

  // Declares a queue unless it exists.
  virtual Task<amqp::Result<void>> ensure_queue(std::string name) = 0;

  // Declares a topic exchange unless it exists.
  virtual Task<amqp::Result<void>> ensure_exchange(std::string name) = 0;

  // Closes gracefully.
  virtual Task<void> close() = 0;
};

// Link: one session with the broker for one request queue. Once receive() has returned link_lost or
// refused, the link is over; its deliveries are redelivered on another link.
class Link {
 public:
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  virtual ~Link() = default;

  // `own`: over a connection of its own. `shared`: over a channel of one connection for all shared
  // outlets: a slow queue holds up only its channel, but a message that makes the broker close the
  // connection affects them all.
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

  // Gives the link up at once: all that waits on it ends with link_lost.
  virtual void abandon() = 0;

  // Closes gracefully. What was not acknowledged goes back to the queue.
  virtual Task<void> close() = 0;
};

class Broker {
 public:
  Broker() = default;
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;
  virtual ~Broker() = default;

  // Connects and declares the queues. Tries one of the broker's hosts, once.
  virtual Task<amqp::Result<std::unique_ptr<Link>>> open() = 0;
};

}  // namespace inventory::service
