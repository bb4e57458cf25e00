#pragma once

// Connection: one AMQP 0-9-1 connection, its I/O done by Asio, its bytes by rabbitmq-c's codec.
//
// Invariants:
//   1. Any error of protocol, socket or heartbeat fails the connection as a whole, once. Everything
//      that waits on it wakes with link_lost; nothing on it works afterwards.
//   2. The event loop never blocks: not in a write (memory alarm), not in a read, not in a name
//      look-up, not in a TLS handshake.
//   3. Memory is bounded: a body larger than `body_bytes_max`, or a frame larger than negotiated,
//      fails the connection before it is allocated. Content headers have a bound of their own
//      (frame.h); one above it is skipped.
//   4. Content that cannot be decoded fails nothing: its message says so (Delivery::undecodable).
//
// Threads:  one object on one executor; it is kept alive by its channels and its own I/O.
// Suspends: open(), close(). Every wait has a deadline from ConnectionOptions.
// Errors:   link_lost, refused (403 access, 530 vhost, ...).
// Not:      does not reconnect; whoever owns it makes a new one.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "amqp/endpoint.h"
#include "amqp/error.h"
#include "amqp/queue_terms.h"

namespace amqp {

template <class T>
using Task = boost::asio::awaitable<T>;

struct TlsOptions {
  std::string ca_file;           // empty: the system's
  std::string certificate_file;  // empty: none is presented
  std::string key_file;
};

struct ConnectionOptions {
  std::string name;  // shown in RabbitMQ's management; its first 255 bytes
  std::chrono::milliseconds connect_timeout{10'000};    // look-up, TCP, TLS and handshake together
  std::chrono::milliseconds call_timeout{10'000};       // a synchronous method's answer
  std::size_t body_bytes_max = std::size_t{512} << 20;  // RabbitMQ's own upper limit
  TlsOptions tls;

  // Called when the broker says connection.blocked, with its reason, and with nothing when it says
  // connection.unblocked. Never after the connection has failed.
  std::function<void(const std::optional<std::string>& reason)> on_blocked = nullptr;
};

struct QueueCount {
  std::uint32_t ready = 0;
  std::uint32_t consumers = 0;

  friend bool operator==(const QueueCount&, const QueueCount&) = default;
};

class ConnectionImpl;

class Connection {
 public:
  // Connects to one of the endpoint's hosts.
  static Task<Result<std::shared_ptr<Connection>>> open(Endpoint endpoint, Host host,
                                                        ConnectionOptions options);

  explicit Connection(std::shared_ptr<ConnectionImpl> impl);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();  // drops it

  // Says goodbye (connection.close) and waits for the answer, at most call_timeout. Idempotent.
  Task<void> close();

  // Closes the socket at once, without a farewell: whatever waits on it wakes with link_lost.
  void drop();

  bool is_open() const;

  // Why it failed, if it has. The first reason stays.
  std::optional<Error> failure() const;

  // Whether the broker has said connection.blocked, and why ("low on memory").
  std::optional<std::string> blocked() const;

  // Joins a queue as it is (passive declare); where there is none, declares it: durable, with an
  // explicit x-queue-type; a quorum queue without a delivery limit (kNoDeliveryLimit). On a channel
  // of its own, so that a refusal does not touch others.
  Task<Result<void>> ensure_queue(std::string name, QueueType type);

  // Joins an exchange as it is (passive declare); where there is none, declares it: durable, topic.
  Task<Result<void>> ensure_topic_exchange(std::string name);

  // What a queue that exists is, found out by declaring it as ensure_queue() would: where it
  // differs the broker says in what, and logs an error. 404 if there is none. What it does not tell
  // or may not be asked (403) is told as unknown.
  //
  // Where quorum queues may be declared again as classic ones
  // (quorum_queue.property_equivalence.relaxed_checks_on_redeclaration), only `quorum` finds out.
  Task<Result<QueueTerms>> examine_queue(std::string name, QueueType expected);

  // What a queue holds that nobody has taken, and who takes from it.
  Task<Result<QueueCount>> count(std::string queue);

  // Declares a queue that the broker names, exclusive to this connection, deleted with it.
  Task<Result<std::string>> declare_reply_queue();

  const std::shared_ptr<ConnectionImpl>& impl() const { return impl_; }

 private:
  std::shared_ptr<ConnectionImpl> impl_;
};

}  // namespace amqp
