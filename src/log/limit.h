#pragma once

// Limit: limits the number of log records in a time, for events whose rate others control.

#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

namespace inventory::log {

class Limit {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  Limit(std::size_t records_max, std::chrono::milliseconds window)
      : records_max_(records_max), window_(window) {}

  // Empty if this record is to be left out; otherwise the number of records that were left out
  // since the last one that was written.
  std::optional<std::size_t> admit(TimePoint now) {
    if (!began_ || now - *began_ >= window_) {
      began_ = now;
      records_ = 0;
    }
    if (records_ >= records_max_) {
      ++left_out_;
      return std::nullopt;
    }
    ++records_;
    return std::exchange(left_out_, 0);
  }

 private:
  std::size_t records_max_;
  std::chrono::milliseconds window_;
  std::optional<TimePoint> began_;
  std::size_t records_ = 0;
  std::size_t left_out_ = 0;
};

}  // namespace inventory::log
