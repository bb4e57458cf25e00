#pragma once

// HoldMetrics: how many holds are open, how many of them are due and not given back yet, and for
// how long the oldest is.
//
// Invariants:
//   1. The flow does not notice: holds are counted over a connection and on a thread of their own,
//      one count at a time.
//   2. A count takes a bounded time: the reader has deadlines, and counts no more than
//      store::kHoldsCountedMax. There is one every fifteen seconds, or fewer where they take long:
//      counting takes at most a hundredth of the time of one session of the database.
//
// Errors: where they cannot be counted the last counts stay; other metrics tell of the database.

#include <chrono>
#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "service/clock.h"
#include "service/pause.h"
#include "store/reader.h"

namespace inventory::server {

inline constexpr std::chrono::milliseconds kHoldCountTimeout{2'000};

class HoldMetrics {
 public:
  using OpenReader = std::function<std::unique_ptr<store::Reader>()>;

  // `open` is called on the thread. The registry outlives this.
  HoldMetrics(const boost::asio::any_io_executor& executor, OpenReader open, service::Clock& clock,
              prometheus::Registry& registry);
  HoldMetrics(const HoldMetrics&) = delete;
  HoldMetrics& operator=(const HoldMetrics&) = delete;
  ~HoldMetrics();

  // Until stop().
  boost::asio::awaitable<void> run();
  void stop() { pause_.stop(); }

 private:
  void begin_to_count();
  void show(const store::Result<store::HoldCounts>& counts);

  boost::asio::any_io_executor executor_;
  OpenReader open_;
  service::Pause pause_;
  service::Clock& clock_;
  bool is_counting_ = false;
  std::chrono::steady_clock::time_point next_count_ = {};
  prometheus::Gauge& held_;
  prometheus::Gauge& due_;
  prometheus::Gauge& overdue_;
  boost::asio::thread_pool thread_{1};
};

}  // namespace inventory::server
