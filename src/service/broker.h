#pragma once

// What the flow needs of a broker: the port through which requests come and answers go.
//
// Threads: one executor. Everything that suspends ends within the adapter's deadlines, but for
// receive(), which waits for requests, and publish() while the broker blocks publishers.

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

// Link: one session with the broker for one request queue. Once a function has returned link_lost
// or refused, the link is over; its deliveries come again on another link.
class Link {
 public:
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  virtual ~Link() = default;

  // Waits for at least one delivery and takes what is there, at most `count`, in arrival order.
  // `stopping` once stop_receiving() was called.
  virtual Task<amqp::Result<std::vector<amqp::Delivery>>> receive(std::size_t count) = 0;

  // Sends the messages and waits until each is settled. One answer a message. After a rejection
  // the next call goes another way, if the broker has one: a rejection may be the channel's fault.
  virtual Task<amqp::Result<std::vector<amqp::Settlement>>> publish(
      std::span<const amqp::Message> messages) = 0;

  // Acknowledges every delivery up to this one.
  virtual void acknowledge_up_to(std::uint64_t delivery_tag) = 0;

  // Takes no further deliveries: receive() returns `stopping` from now on. What was received can
  // still be answered and acknowledged.
  virtual void stop_receiving() = 0;

  // Gives the link up at once: whatever waits on it wakes with link_lost.
  virtual void abandon() = 0;

  // Closes in order. What was not acknowledged goes back to the queue.
  virtual Task<void> close() = 0;
};

// Called when the broker blocks a link's publishing, with its reason ("low on memory"), and with
// nothing when it takes messages again. A broker says so at the first message that it does not
// take.
using OnBlocked = std::function<void(const std::optional<std::string>& reason)>;

class Broker {
 public:
  Broker() = default;
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;
  virtual ~Broker() = default;

  // Connects, sees to the queues, and begins to consume. One try, at one of the broker's hosts.
  // `on_blocked` is not called any more once the link is lost or given up.
  virtual Task<amqp::Result<std::unique_ptr<Link>>> open(OnBlocked on_blocked) = 0;
};

}  // namespace inventory::service
