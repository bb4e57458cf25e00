#pragma once

// Backoff: how long to wait before the next try. Full jitter: a random time up to a limit that
// doubles from `first` to `last`, so that instances that failed together do not retry together
// (Exponential Backoff And Jitter, AWS Architecture Blog, 2015).

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace inventory::service {

class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds last, std::uint32_t seed)
      : first_(first), last_(last), limit_(first), random_(seed) {}

  std::chrono::milliseconds next() {
    std::uniform_int_distribution<std::chrono::milliseconds::rep> wait(1, limit_.count());
    limit_ = std::min(limit_ * 2, last_);
    return std::chrono::milliseconds(wait(random_));
  }

  void reset() { limit_ = first_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds last_;
  std::chrono::milliseconds limit_;
  std::mt19937 random_;
};

}  // namespace inventory::service
