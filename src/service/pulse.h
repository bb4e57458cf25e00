#pragma once

// Pulse: when the database last succeeded, for any kind of request. While it succeeds for some, the
// failure of another is that request's own. Written stock says more than a rejection, which needs
// less of the tables and passes even if they are locked.
//
// Threads: one executor.

#include <chrono>
#include <optional>

namespace inventory::service {

class Pulse {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  void beat(TimePoint now, bool has_written_stock) {
    last_ = now;
    if (has_written_stock) stock_written_ = now;
  }
  bool has_beaten_since(TimePoint when) const { return last_ && *last_ > when; }

  // TimePoint::min() if never.
  TimePoint stock_written() const { return stock_written_; }

 private:
  std::optional<TimePoint> last_;
  TimePoint stock_written_ = TimePoint::min();
};

}  // namespace inventory::service
