#pragma once

// History: how many requests of a queue this process has done over the last ten minutes, and how
// long they took: for people who look without Prometheus.
//
// A point covers five seconds. Its quantiles are estimated from a histogram as in Prometheus
// (histogram_quantile), which assumes that requests are spread evenly within a bucket.
//
// Limits: kPointsMax points, a few KiB.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace inventory::server {

// limits: of the buckets, ascending. counts: one for each bucket, then that of the values beyond
// the last limit, which count as equal to that limit. Empty if all counts are 0.
std::optional<double> quantile(double q, std::span<const double> limits,
                               std::span<const std::uint64_t> counts);

class History {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Counts = std::vector<std::uint64_t>;

  static constexpr std::chrono::seconds kInterval{5};
  static constexpr std::size_t kPointsMax = 120;

  // `done` is empty if the process stood still in that interval. The times are also empty if no
  // request was done.
  struct Point {
    std::optional<std::uint64_t> done = std::nullopt;
    std::optional<double> p50_seconds = std::nullopt;
    std::optional<double> p99_seconds = std::nullopt;

    friend bool operator==(const Point&, const Point&) = default;
  };

  // limits: of the buckets, in seconds.
  explicit History(std::span<const double> limits) : limits_(limits.begin(), limits.end()) {}

  // Call this every kInterval, with the counts since the start. What was counted before the first
  // call is in no point.
  void add(TimePoint now, Counts counts);

  const std::deque<Point>& points() const { return points_; }  // the oldest first

 private:
  void add_point(const Point& point);

  std::vector<double> limits_;
  std::optional<TimePoint> last_;
  Counts counts_;  // at last_
  std::deque<Point> points_;
};

}  // namespace inventory::server
