#include "ops/process_metrics.h"

#include <chrono>
#include <map>

#include <gmock/gmock.h>

namespace inventory::ops {
namespace {

std::map<std::string, double> values() {
  std::map<std::string, double> result;
  for (const auto& family : ProcessMetrics().Collect()) {
    const bool is_counter = family.type == prometheus::MetricType::Counter;
    result[family.name] =
        is_counter ? family.metric[0].counter.value : family.metric[0].gauge.value;
  }
  return result;
}

TEST(ProcessMetrics, SayWhatTheKernelKnows) {
  const auto now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  auto metrics = values();
  EXPECT_GE(metrics.at("process_cpu_seconds_total"), 0);
  EXPECT_GT(metrics.at("process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(metrics.at("process_virtual_memory_bytes"),
            metrics.at("process_resident_memory_bytes"));
  EXPECT_GE(metrics.at("process_threads"), 1);
  EXPECT_GE(metrics.at("process_open_fds"), 3);
  EXPECT_GT(metrics.at("process_max_fds"), metrics.at("process_open_fds"));
  EXPECT_NEAR(metrics.at("process_start_time_seconds"), now, 3'600);
}

}  // namespace
}  // namespace inventory::ops
