#pragma once

// RouterMetrics: what a router has passed on and what waits, as Prometheus metrics with the labels
// `queue` (the source) and `partition` (as many as the setting says).
//
// Invariant: every series exists from the start, at 0.
// Threads:   one executor.

#include <cstdint>
#include <string>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "router/router.h"

namespace inventory::server {

class RouterMetrics {
 public:
  // The registry must outlive this object.
  RouterMetrics(prometheus::Registry& registry, const std::string& queue, std::uint32_t partitions);

  // Call this before the metrics are collected.
  void refresh(const router::Router& router);

 private:
  struct OfPartition {
    prometheus::Counter* passed;
    prometheus::Counter* set_aside;
    prometheus::Counter* retries;
    prometheus::Gauge* waiting;
    prometheus::Gauge* in_trouble;
  };

  std::vector<OfPartition> partitions_;
  prometheus::Gauge* in_hand_;
  prometheus::Gauge* consuming_;
  prometheus::Counter* dead_letters_;
};

}  // namespace inventory::server
