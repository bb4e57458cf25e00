#pragma once

// ProcessMetrics: what the kernel knows of this process, under the names that Prometheus' client
// libraries have agreed on (https://prometheus.io/docs/instrumenting/writing_clientlibs/).
//
// Threads: any. Collecting reads four files of /proc, which takes some 0.1 ms.

#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

namespace inventory::ops {

class ProcessMetrics : public prometheus::Collectable {
 public:
  // What cannot be read is left out.
  std::vector<prometheus::MetricFamily> Collect() const override;
};

}  // namespace inventory::ops
