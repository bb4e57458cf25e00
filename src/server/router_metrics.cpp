#include "server/router_metrics.h"

namespace inventory::server {
namespace {

using prometheus::Labels;
using prometheus::Registry;

prometheus::Counter& router_counter(Registry& registry, const char* name, const char* help,
                                    const Labels& labels) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(labels);
}

prometheus::Gauge& router_gauge(Registry& registry, const char* name, const char* help,
                                const Labels& labels) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
}

void raise_to(prometheus::Counter& counter, std::uint64_t value) {
  counter.Increment(static_cast<double>(value) - counter.Value());
}

}  // namespace

RouterMetrics::RouterMetrics(Registry& registry, const std::string& queue,
                             std::uint32_t partitions) {
  for (std::uint32_t number = 0; number < partitions; ++number) {
    const Labels labels{{"queue", queue}, {"partition", std::to_string(number)}};
    partitions_.push_back(
        {.passed = &router_counter(registry, "inventory_router_passed_on_total",
                                   "Requests that the partition's queue has confirmed.", labels),
         .set_aside = &router_counter(
             registry, "inventory_router_set_aside_total",
             "Requests put into the router's own queue, since the partition's took none.", labels),
         .retries = &router_counter(registry, "inventory_router_retries_total",
                                    "Requests that were published again.", labels),
         .waiting = &router_gauge(registry, "inventory_router_waiting",
                                  "Requests in hand for the partition.", labels),
         .in_trouble = &router_gauge(registry, "inventory_router_partition_failing",
                                     "1 while the partition's queue takes no requests.", labels)});
  }
  const Labels labels{{"queue", queue}};
  in_hand_ = &router_gauge(registry, "inventory_messages_in_flight",
                           "Requests in hand that are not acknowledged.", labels);
  consuming_ = &router_gauge(registry, "inventory_router_consuming",
                             "1 while requests are taken and the broker takes them.", labels);
  dead_letters_ = &router_counter(registry, "inventory_router_dead_letters_total",
                                  "Requests that the broker takes in no queue.", labels);
}

void RouterMetrics::refresh(const router::Router& router) {
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    const router::Passage& passage = *router.passages()[i];
    const OfPartition& metrics = partitions_[i];
    raise_to(*metrics.passed, passage.passed());
    raise_to(*metrics.set_aside, passage.set_aside());
    raise_to(*metrics.retries, passage.retries());
    metrics.waiting->Set(static_cast<double>(passage.in_hand()));
    metrics.in_trouble->Set(passage.trouble() ? 1 : 0);
  }
  in_hand_->Set(static_cast<double>(router.in_hand()));
  consuming_->Set(router.is_consuming() ? 1 : 0);
  raise_to(*dead_letters_, router.dead_lettered());
}

}  // namespace inventory::server
