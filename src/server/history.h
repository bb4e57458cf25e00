#pragma once

// History: how many requests of a queue were done over the last ten minutes, and how long they
// took, as far as this process knows: for people who look without Prometheus.
//
// A point is five seconds. Its quantiles are those of a histogram, as Prometheus estimates them
// (histogram_quantile): within a bucket, requests are taken to be spread evenly.
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

// limits: of the buckets, ascending. counts: of what lies in each bucket, and at the end of what
// lies beyond all limits; that is taken to be at the last limit. Nothing: the counts are all 0.
std::optional<double> quantile(double q, std::span<const double> limits,
                               std::span<const std::uint64_t> counts);

class History {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Counts = std::vector<std::uint64_t>;

  static constexpr std::chrono::seconds kInterval{5};
  static constexpr std::size_t kPointsMax = 120;

  // Nothing: the process stood still, so there is no such point. The times are nothing, too, where
  // nothing was done.
  struct Point {
    std::optional<std::uint64_t> done = std::nullopt;
    std::optional<double> p50_seconds = std::nullopt;
    std::optional<double> p99_seconds = std::nullopt;

    friend bool operator==(const Point&, const Point&) = default;
  };

  // limits: of the buckets, in seconds.
  explicit History(std::span<const double> limits) : limits_(limits.begin(), limits.end()) {}

  // To be called every kInterval, with all counts since the start. What was counted before the
  // first call is in no point.
  void add(TimePoint now, Counts counts);

  const std::deque<Point>& points() const { return points_; }  // the oldest first

 private:
  void add_point(const Point& point);

  std::vector<double> limits_;
  std::optional<TimePoint> last_;
  Counts counts_;  // then
  std::deque<Point> points_;
};

}  // namespace inventory::server
