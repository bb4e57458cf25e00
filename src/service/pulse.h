#pragma once

// Pulse: when the database has done last what it was asked for, for any kind of request. While it
// does that for some, what it does not do for another is that request's.
//
// Threads: one executor.

#include <chrono>
#include <optional>

namespace inventory::service {

class Pulse {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  void beat(TimePoint now) { last_ = now; }
  bool has_beaten_since(TimePoint when) const { return last_ && *last_ > when; }

 private:
  std::optional<TimePoint> last_;
};

}  // namespace inventory::service
