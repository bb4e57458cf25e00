#pragma once

// HoldMetrics: how many holds are open, how many of them are due and not given back yet, and how
// long the oldest of these has been due.
//
// Invariants:
//   1. Counting does not disturb the flow: it has a connection and a thread of its own, and one
//      count runs at a time.
//   2. A count takes a bounded time: the reader has deadlines, and counts no more than
//      store::kHoldsCountedMax. Holds are counted every fifteen seconds, or less often if that
//      takes long: counting keeps one database session busy for at most a hundredth of the time.
//
// Errors: if holds cannot be counted, the gauges are NaN; other metrics show why.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

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

  // `open` is called on the thread. The registry must outlive this object.
  HoldMetrics(const boost::asio::any_io_executor& executor, OpenReader open, service::Clock& clock,
              prometheus::Registry& registry);
  HoldMetrics(const HoldMetrics&) = delete;
  HoldMetrics& operator=(const HoldMetrics&) = delete;
  ~HoldMetrics();

  // Runs until stop().
  boost::asio::awaitable<void> run();
  void stop() { pause_.stop(); }

  // The last count; empty before the first, and if the last one failed.
  const std::optional<store::HoldCounts>& last() const { return last_; }

 private:
  void begin_to_count();
  void show(const store::Result<store::HoldCounts>& counts);

  boost::asio::any_io_executor executor_;
  OpenReader open_;
  service::Pause pause_;
  service::Clock& clock_;
  bool is_counting_ = false;
  std::optional<store::HoldCounts> last_;
  std::chrono::steady_clock::time_point next_count_ = {};
  prometheus::Gauge& held_;
  prometheus::Gauge& due_;
  prometheus::Gauge& overdue_;
  boost::asio::thread_pool thread_{1};
};

}  // namespace inventory::server
