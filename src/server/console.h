#pragma once

// Console: serves the page for browsers: its files (src/console/page), and what it reads beside the
// stock: the state of this instance and its dead letters.
//
//   GET /              the page
//   GET /console/NAME  its scripts, its style sheet
//   GET /status        instance, checks, queues, holds, and the last ten minutes
//   GET /dead-letters  how many there are; the newest that this instance has published
//
// No handler waits: what comes from the broker or the database is the last value received.
//
// Threads: one executor. The clock, and what the sources refer to, must outlive it.

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "domain/item.h"
#include "ops/health.h"
#include "ops/http.h"
#include "server/flow_metrics.h"
#include "server/history.h"
#include "server/queue_watch.h"
#include "server/recent_letters.h"
#include "service/clock.h"
#include "service/pause.h"
#include "service/status.h"
#include "store/reader.h"

namespace inventory::server {

// A request queue of this instance, as it is now.
struct ConsoleQueue {
  std::string_view kind;  // "order"
  std::string queue;
  service::Status status;
  const FlowMetrics* metrics;
};

struct ConsoleSources {
  std::function<std::vector<ops::HealthCheck>()> checks;
  std::function<std::vector<ConsoleQueue>()> queues;
  std::function<std::optional<store::HoldCounts>()> holds;
  std::string partition = {};  // "3 of 16"; empty: the stock is undivided
};

class Console {
 public:
  // queues: the request queues.
  Console(const boost::asio::any_io_executor& executor, service::Clock& clock,
          OpenQueueCounter open_counter, const std::vector<std::string>& queues,
          ConsoleSources sources);

  std::vector<ops::HttpRoute> routes();

  // Records the history of the queues, until stop().
  boost::asio::awaitable<void> run();
  void stop();

  // Tell this of each dead letter.
  RecentLetters& letters() { return letters_; }

 private:
  boost::asio::awaitable<void> keep_history();
  std::string status_json();
  std::string dead_letters_json();

  service::Clock& clock_;
  ConsoleSources sources_;
  service::Pause pause_;
  QueueWatch watch_;
  RecentLetters letters_;
  std::map<std::string, History, std::less<>> histories_;  // by queue
  domain::Timestamp started_at_;
  domain::Timestamp last_point_at_;
};

}  // namespace inventory::server
