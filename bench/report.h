#pragma once

// Report: the measurements of a load, and how they are printed.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace inventory::bench {

struct Report {
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;  // orders with at least one answer
  std::uint64_t repeated = 0;  // further answers to the same order
  std::uint64_t accepted = 0;
  std::uint64_t in_time = 0;  // answered within the measured time
  std::chrono::duration<double> measured{0};
  std::vector<std::uint32_t> latencies_us;  // of the answers within the measured time
};

// One JSON object: counts, orders per second, percentiles of the latency in microseconds.
std::string to_json(Report report);

// [#####.....]  5.0/10.0 s  8123 orders/s
std::string progress_line(double done, double total, const char* unit, double rate);

}  // namespace inventory::bench
