#include "report.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace inventory::bench {
namespace {

// The smallest of the sorted values that at least `share` of them do not exceed.
std::uint32_t percentile(const std::vector<std::uint32_t>& sorted, double share) {
  if (sorted.empty()) {
    return 0;
  }
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp(rank, std::size_t{1}, sorted.size()) - 1];
}

}  // namespace

std::string to_json(Report report) {
  auto& latencies = report.latencies_us;
  std::ranges::sort(latencies);
  const double seconds = report.measured.count();
  const double rate = seconds > 0 ? static_cast<double>(report.in_time) / seconds : 0;
  return fmt::format(
      R"({{"sent": {}, "answered": {}, "repeated": {}, "accepted": {}, )"
      R"("seconds": {:.3f}, "rate": {:.1f}, "latency_us": {{"p50": {}, "p90": {}, "p99": {}, )"
      R"("p999": {}, "max": {}}}}})",
      report.sent, report.answered, report.repeated, report.accepted, seconds, rate,
      percentile(latencies, 0.5), percentile(latencies, 0.9), percentile(latencies, 0.99),
      percentile(latencies, 0.999), latencies.empty() ? 0 : latencies.back());
}

std::string progress_line(double done, double total, const char* unit, double rate) {
  constexpr int kWidth = 30;
  const int filled = total > 0 ? static_cast<int>(std::clamp(done / total, 0.0, 1.0) * kWidth) : 0;
  return fmt::format("[{:#<{}}{:.<{}}] {:.0f}/{:.0f} {}  {:.0f} orders/s", "", filled, "",
                     kWidth - filled, done, total, unit, rate);
}

}  // namespace inventory::bench
