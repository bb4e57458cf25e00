#pragma once

// Pulse: when the database has done last what it was asked for, for any kind of request. While it
// does that for some, what it does not do for another is that request's. Stock that was written
// says more than a rejection, which needs less of the tables, and passes where they are locked.
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

  // The beginning of time if never.
  TimePoint stock_written() const { return stock_written_; }

 private:
  std::optional<TimePoint> last_;
  TimePoint stock_written_ = TimePoint::min();
};

}  // namespace inventory::service
