#pragma once

// QueueWatch: how many messages and consumers some queues have, as the broker counts them, while
// somebody looks.
//
// Invariants:
//   1. It works over a connection of its own, which exists only while somebody looks and for half a
//      minute more. A queue is declared passively: that takes no message and needs no right.
//   2. Whatever goes wrong is a count that is not known: the queue is gone or forbidden, the broker
//      does not answer. A queue for which the broker ends the connection costs no other its count.
//
// Threads: one executor. The clock outlives it.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "amqp/connection.h"
#include "service/clock.h"
#include "service/pause.h"
#include "service/wakeup.h"

namespace inventory::server {

// A connection over which queues are counted.
class QueueCounter {
 public:
  QueueCounter() = default;
  QueueCounter(const QueueCounter&) = delete;
  QueueCounter& operator=(const QueueCounter&) = delete;
  virtual ~QueueCounter() = default;  // ends the connection at once

  // Where the error is not `refused`, the connection is of no use any more.
  virtual amqp::Task<amqp::Result<amqp::QueueCount>> count(std::string queue) = 0;

  // Ends it in order.
  virtual amqp::Task<void> close() = 0;
};

using OpenQueueCounter = std::function<amqp::Task<amqp::Result<std::unique_ptr<QueueCounter>>>()>;

// Connects to the next of the endpoint's hosts each time.
OpenQueueCounter amqp_queue_counter(amqp::Endpoint endpoint, amqp::TlsOptions tls);

class QueueWatch {
 public:
  static constexpr std::chrono::seconds kInterval{5};
  static constexpr std::chrono::seconds kWatchedFor{30};  // after somebody has looked
  static constexpr std::chrono::seconds kCountMax{15};    // a count that is older is none

  QueueWatch(const boost::asio::any_io_executor& executor, OpenQueueCounter open,
             service::Clock& clock, std::vector<std::string> queues);

  // Until stop().
  boost::asio::awaitable<void> run();
  void stop();

  // Somebody looks.
  void look();

  // Nothing: it is not known, or not yet.
  std::optional<amqp::QueueCount> count_of(std::string_view queue) const;

 private:
  struct Counted {
    amqp::QueueCount count;
    std::chrono::steady_clock::time_point at;
  };

  bool is_watched() const;
  boost::asio::awaitable<void> count_all();
  boost::asio::awaitable<void> end();

  OpenQueueCounter open_;
  service::Clock& clock_;
  service::Pause pause_;
  service::Wakeup looked_;
  std::vector<std::string> queues_;
  std::map<std::string, Counted, std::less<>> counts_;
  std::unique_ptr<QueueCounter> counter_;
  std::optional<std::chrono::steady_clock::time_point> last_look_;
};

}  // namespace inventory::server
