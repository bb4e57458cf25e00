#pragma once

// FlowMetrics: the events of one flow as Prometheus metrics with the label `queue`. Names follow
// OpenTelemetry's conventions for messaging and databases if those have one;
// docs/monitor.md lists them.
//
// Invariants:
//   1. Every series exists from the start, at 0, so that a rate includes the first event.
//   2. No label names products, orders or clients: their number has no bound.
//
// Cost: all look-ups are done at the start. Then a batch costs a few additions, and a request one
//       search among 16 limits, for its time from delivery to acknowledgement.
// Threads: one executor.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "service/observer.h"
#include "service/status.h"

namespace inventory::server {

class FlowMetrics : public service::Observer {
 public:
  // outcomes: those that a valid request of this queue can have. The registry must outlive this
  // object.
  FlowMetrics(prometheus::Registry& registry, const std::string& queue,
              std::span<const service::Outcome> outcomes);

  // Updates the metrics that no event updates. Call this before the metrics are collected.
  // delivery_limit: of the queue, if it is known to have one.
  void refresh(const service::Status& status, std::optional<std::int64_t> delivery_limit,
               TimePoint now);

  // The values of the gauges.
  struct Now {
    std::size_t in_flight = 0;
    std::size_t replies_waiting = 0;
    std::size_t put_aside = 0;
  };
  Now now() const;

  // How many requests were done, by the time from delivery to acknowledgement: one count for each
  // limit, in seconds, and one for those beyond the last.
  static std::span<const double> process_limits();
  std::vector<std::uint64_t> process_counts() const;

  void connected() override;
  void disconnected() override;
  void blocked(bool is_blocked) override;
  void received(std::size_t requests) override;
  void transaction(Duration took, std::optional<store::Fault> fault) override;
  void retried(store::Fault fault) override;
  void repeated_with_another_message_id() override;
  void decided(const service::Tally& tally, Duration took) override;
  void published(const service::Published& messages) override;
  void waiting(std::size_t replies) override;
  void put_aside(std::size_t requests) override;
  void settled(Duration took) override;
  void acknowledged(const service::Tally& tally, std::span<const TimePoint> delivered,
                    TimePoint now) override;

 private:
  void count_blocked_time(TimePoint now);

  std::array<prometheus::Counter*, service::kOutcomeCount> decisions_{};  // null: cannot happen
  std::array<prometheus::Counter*, service::kOutcomeCount> dead_letters_{};
  std::vector<std::pair<store::Fault, prometheus::Counter*>> retries_;
  std::vector<prometheus::Counter*> events_;  // by topic; shared by all flows
  std::vector<std::pair<service::Condition, prometheus::Gauge*>> conditions_;
  prometheus::Counter& replays_;
  prometheus::Counter& repeated_with_another_message_id_;
  prometheus::Counter& consumed_;
  prometheus::Counter& sent_;
  prometheus::Counter& rejected_;
  prometheus::Counter& returned_;
  prometheus::Counter& given_up_;
  prometheus::Counter& kept_;
  prometheus::Gauge& waiting_;
  prometheus::Gauge& put_aside_;
  prometheus::Counter& reconnects_;
  prometheus::Counter& blocked_seconds_;
  prometheus::Gauge& in_flight_;
  prometheus::Gauge& delivery_limit_;
  prometheus::Histogram& batch_;
  prometheus::Histogram& decide_;
  prometheus::Histogram& publish_;
  prometheus::Histogram& transaction_;
  prometheus::Histogram& process_;

  bool was_connected_ = false;
  std::optional<TimePoint> blocked_since_;
  std::vector<double> increments_;  // of process_'s buckets; a member to reuse its memory
};

}  // namespace inventory::server
