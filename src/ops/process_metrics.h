#pragma once

// ProcessMetrics: what the kernel knows about this process, under the names that all Prometheus
// client libraries use (https://prometheus.io/docs/instrumenting/writing_clientlibs/).
//
// Threads: any. Collecting reads four files of /proc, which takes some 0.1 ms.

#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

namespace inventory::ops {

class ProcessMetrics : public prometheus::Collectable {
 public:
  // Leaves out what cannot be read.
  std::vector<prometheus::MetricFamily> Collect() const override;
};

}  // namespace inventory::ops
