#pragma once

// QueueWatch: asks the broker how many messages and consumers some queues have, while somebody
// views the console.
//
// Invariants:
//   1. It has a connection of its own, which is open only while somebody views the console, and
//   half
//      a minute longer. A queue is declared passively, which takes no message and needs no right.
//   2. After any error (the queue is gone or forbidden, the broker does not answer) the count is
//      unknown. If the broker closes the connection because of one queue, the others are still
//      counted.
//
// Threads: one executor. The clock must outlive it.

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

  // After an error other than `refused`, the connection is of no use any more.
  virtual amqp::Task<amqp::Result<amqp::QueueCount>> count(std::string queue) = 0;

  // Closes it properly.
  virtual amqp::Task<void> close() = 0;
};

using OpenQueueCounter = std::function<amqp::Task<amqp::Result<std::unique_ptr<QueueCounter>>>()>;

// Connects to the next of the endpoint's hosts each time.
OpenQueueCounter amqp_queue_counter(amqp::Endpoint endpoint, amqp::TlsOptions tls);

class QueueWatch {
 public:
  static constexpr std::chrono::seconds kInterval{5};
  static constexpr std::chrono::seconds kWatchedFor{30};  // after the last look()
  static constexpr std::chrono::seconds kCountMax{15};    // an older count is not used

  QueueWatch(const boost::asio::any_io_executor& executor, OpenQueueCounter open,
             service::Clock& clock, std::vector<std::string> queues);

  // Runs until stop().
  boost::asio::awaitable<void> run();
  void stop();

  // Somebody views the console.
  void look();

  // Empty if it is not known, or not yet.
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
