#include "ops/process_metrics.h"

#include <array>
#include <cstddef>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>

namespace inventory::ops {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family(const char* name, const char* help, MetricType type, double value) {
  prometheus::ClientMetric metric;
  if (type == MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return {.name = name, .help = help, .type = type, .metric = {metric}};
}

// The fields of /proc/self/stat that are used (proc(5)), with their numbers.
struct Stat {
  double user_ticks = 0;      // 14
  double system_ticks = 0;    // 15
  double threads = 0;         // 20
  double start_ticks = 0;     // 22, since boot
  double virtual_bytes = 0;   // 23
  double resident_pages = 0;  // 24
};

bool read_stat(Stat& stat) {
  std::ifstream file("/proc/self/stat");
  std::string text;
  if (!std::getline(file, text)) return false;
  // The program's name, field 2, may contain anything; the last parenthesis ends it.
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::array<std::string, 22> values;  // from field 3
  for (std::string& value : values) {
    if (!(fields >> value)) return false;
  }
  const auto field = [&](std::size_t number) { return std::stod(values.at(number - 3)); };
  stat = {.user_ticks = field(14),
          .system_ticks = field(15),
          .threads = field(20),
          .start_ticks = field(22),
          .virtual_bytes = field(23),
          .resident_pages = field(24)};
  return true;
}

double seconds_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + (static_cast<double>(now.tv_nsec) / 1e9);
}

// Seconds since the epoch. /proc/stat has it too, but is not visible with ProcSubset=pid.
double boot_time() { return seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME); }

}  // namespace

std::vector<MetricFamily> ProcessMetrics::Collect() const {
  std::vector<MetricFamily> families;
  if (Stat stat; read_stat(stat)) {
    const auto ticks_per_s = static_cast<double>(sysconf(_SC_CLK_TCK));
    families.push_back(family("process_cpu_seconds_total", "Processor time, user and system.",
                              MetricType::Counter,
                              (stat.user_ticks + stat.system_ticks) / ticks_per_s));
    families.push_back(family("process_resident_memory_bytes", "Memory in RAM.", MetricType::Gauge,
                              stat.resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE))));
    families.push_back(family("process_virtual_memory_bytes", "Address space.", MetricType::Gauge,
                              stat.virtual_bytes));
    families.push_back(family("process_threads", "Threads.", MetricType::Gauge, stat.threads));
    // Computed once: clocks may be set, and a changed start time looks like a restart.
    static const double start_time = boot_time() + (stat.start_ticks / ticks_per_s);
    families.push_back(family("process_start_time_seconds", "When it began, since the epoch.",
                              MetricType::Gauge, start_time));
  }
  std::error_code error;
  const std::filesystem::directory_iterator open_fds("/proc/self/fd", error);
  if (!error) {
    const auto count = std::distance(begin(open_fds), end(open_fds)) - 1;  // the iterator's
    families.push_back(family("process_open_fds", "Open file descriptors.", MetricType::Gauge,
                              static_cast<double>(count)));
  }
  if (rlimit limit{}; getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    families.push_back(
        family("process_max_fds", "File descriptors that it may have open.", MetricType::Gauge,
               limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<double>::infinity()
                                               : static_cast<double>(limit.rlim_cur)));
  }
  return families;
}

}  // namespace inventory::ops
