#pragma once

// Connection: one AMQP 0-9-1 connection, with I/O by Asio and rabbitmq-c's codec.
//
// Invariants:
//   1. Any error of protocol, socket or heartbeat fails the connection as a whole, once. Everything
//      that waits on it wakes with link_lost; it cannot be used afterwards.
//   2. Nothing blocks the event loop: no write (memory alarm), read, name look-up or TLS handshake.
//   3. Memory is bounded: a body larger than `body_bytes_max`, or a frame larger than negotiated,
//      fails the connection before it is allocated. Content headers have a separate limit
//      (frame.h); a larger one is skipped.
//   4. Content that cannot be decoded is no error of the connection: its message says so
//      (Delivery::undecodable).
//
// Threads:  one object on one executor; its channels and its own I/O keep it alive.
// Suspends: open(), close(). Every wait has a deadline from ConnectionOptions.
// Errors:   link_lost, refused (403 access, 530 vhost, ...).
// Not:      does not reconnect; its owner makes a new one.

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
  std::string ca_file;           // empty: the system's CAs
  std::string certificate_file;  // empty: none is presented
  std::string key_file;
};

struct ConnectionOptions {
  std::string name;  // shown in RabbitMQ's management; its first 255 bytes
  std::chrono::milliseconds connect_timeout{10'000};    // look-up, TCP, TLS and handshake in total
  std::chrono::milliseconds call_timeout{10'000};       // for the answer to a synchronous method
  std::size_t body_bytes_max = std::size_t{512} << 20;  // RabbitMQ's own upper limit
  TlsOptions tls;

  // Called with the reason on connection.blocked, and with an empty one on connection.unblocked.
  // Never after the connection has failed.
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

  // Sends connection.close and waits for the answer, at most call_timeout. Idempotent.
  Task<void> close();

  // Closes the socket at once, without connection.close; all waiters wake with link_lost.
  void drop();

  bool is_open() const;

  // Why it failed, if it has. The first reason stays.
  std::optional<Error> failure() const;

  // The reason ("low on memory") while the broker blocks the connection, else empty.
  std::optional<std::string> blocked() const;

  // Uses an existing queue as it is (passive declare), or else declares it: durable, with an
  // explicit x-queue-type; a quorum queue without a delivery limit (kNoDeliveryLimit). Uses a
  // channel of its own, so that a refusal affects no other.
  Task<Result<void>> ensure_queue(std::string name, QueueType type);

  // Uses an existing exchange as it is (passive declare), or else declares it: durable, topic.
  Task<Result<void>> ensure_topic_exchange(std::string name);

  // Finds out the terms of an existing queue by declaring it as ensure_queue() would: if it
  // differs, the broker says how, and logs an error. 404 if there is none. Terms that the broker
  // does not tell, or forbids to ask (403), are returned as unknown.
  //
  // If the broker accepts redeclaring quorum queues as classic
  // (quorum_queue.property_equivalence.relaxed_checks_on_redeclaration), only `quorum` finds out.
  Task<Result<QueueTerms>> examine_queue(std::string name, QueueType expected);

  // The number of ready messages in a queue, and of its consumers.
  Task<Result<QueueCount>> count(std::string queue);

  // Declares a queue named by the broker, exclusive to this connection and deleted with it.
  Task<Result<std::string>> declare_reply_queue();

  // The same with a name: at most one connection has it. refused, 405, if another one does. Again
  // over this connection: nothing happens.
  Task<Result<void>> declare_exclusive_queue(std::string name);

  Task<Result<void>> delete_queue(std::string name);

  const std::shared_ptr<ConnectionImpl>& impl() const { return impl_; }

 private:
  std::shared_ptr<ConnectionImpl> impl_;
};

}  // namespace amqp
