#pragma once

// LogThrottle: which repetitions of a line are logged while a fault lasts: the first, then one
// whenever an interval has passed, which doubles from 10 s up to 5 minutes. What is left out is
// counted, and logged at level debug.
//
// Threads: one. The clock outlives it.

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "service/clock.h"

namespace inventory::service {

class LogThrottle {
 public:
  explicit LogThrottle(const Clock& clock) : clock_(clock) {}

  // `about` names the fault: the first line about another fault is logged again.
  void warn(std::string_view about, std::string_view line) {
    const auto now = clock_.steady_now();
    if (about != about_) {
      reset();
      about_ = about;
    } else if (now < next_) {
      ++left_out_;
      spdlog::debug("{}", line);
      return;
    }
    spdlog::warn("{}{}", line,
                 left_out_ == 0 ? "" : fmt::format(" ({} lines like it left out)", left_out_));
    left_out_ = 0;
    next_ = now + interval_;
    interval_ = std::min(interval_ * 2, kIntervalLast);
  }

  // The fault is over.
  void reset() {
    about_.clear();
    left_out_ = 0;
    interval_ = kIntervalFirst;
  }

 private:
  static constexpr std::chrono::seconds kIntervalFirst{10};
  static constexpr std::chrono::seconds kIntervalLast{300};

  const Clock& clock_;
  std::string about_;  // empty: no fault
  int left_out_ = 0;
  std::chrono::seconds interval_ = kIntervalFirst;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace inventory::service
