#include "server/history.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

namespace inventory::server {

std::optional<double> quantile(double q, std::span<const double> limits,
                               std::span<const std::uint64_t> counts) {
  const auto all = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  if (all == 0) return std::nullopt;
  const double rank = q * static_cast<double>(all);
  double below = 0;
  for (std::size_t i = 0; i < limits.size(); ++i) {
    const auto count = static_cast<double>(counts[i]);
    if (count > 0 && below + count >= rank) {
      const double least = i == 0 ? 0 : limits[i - 1];
      return least + (limits[i] - least) * (rank - below) / count;
    }
    below += count;
  }
  return limits.back();
}

void History::add(TimePoint now, Counts counts) {
  if (last_) {
    const auto missed = (now - *last_ + kInterval / 2) / kInterval - 1;
    for (auto i = std::min<decltype(missed)>(missed, kPointsMax); i > 0; --i) add_point({});
    Counts difference(counts.size());
    std::ranges::transform(counts, counts_, difference.begin(), std::minus());
    add_point({.done = std::accumulate(difference.begin(), difference.end(), std::uint64_t{0}),
               .p50_seconds = quantile(0.5, limits_, difference),
               .p99_seconds = quantile(0.99, limits_, difference)});
  }
  last_ = now;
  counts_ = std::move(counts);
}

void History::add_point(const Point& point) {
  if (points_.size() == kPointsMax) points_.pop_front();
  points_.push_back(point);
}

}  // namespace inventory::server
