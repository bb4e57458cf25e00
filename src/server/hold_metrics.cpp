#include "server/hold_metrics.h"

#include <limits>
#include <utility>

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

namespace inventory::server {
namespace {

using Counts = store::Result<store::HoldCounts>;

constexpr std::chrono::seconds kCountInterval{15};
// The minimum time between two counts, as a multiple of the time that the first took.
constexpr int kRestAfterCount = 100;

prometheus::Gauge& hold_gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

Counts count_now(const HoldMetrics::OpenReader& open) {
  const auto reader = open();
  if (auto begun = reader->begin(); !begun) return std::unexpected(std::move(begun.error()));
  return reader->count_holds();
}

}  // namespace

HoldMetrics::HoldMetrics(const boost::asio::any_io_executor& executor, OpenReader open,
                         service::Clock& clock, prometheus::Registry& registry)
    : executor_(executor),
      open_(std::move(open)),
      pause_(executor, clock),
      clock_(clock),
      held_(hold_gauge(registry, "inventory_holds_open",
                       "Holds that are open: neither confirmed, nor cancelled, nor given back.")),
      due_(hold_gauge(registry, "inventory_holds_due",
                      "Of them, those that are over and are not given back yet.")),
      overdue_(hold_gauge(registry, "inventory_hold_overdue_seconds",
                          "For how long the oldest of those is over; 0: there is none.")) {}

HoldMetrics::~HoldMetrics() {
  thread_.stop();
  thread_.join();
}

boost::asio::awaitable<void> HoldMetrics::run() {
  while (!pause_.is_stopping()) {
    if (!is_counting_ && clock_.steady_now() >= next_count_) begin_to_count();
    co_await pause_.wait(kCountInterval);
  }
}

void HoldMetrics::begin_to_count() {
  is_counting_ = true;
  boost::asio::post(thread_, [this, began = clock_.steady_now()] {
    boost::asio::post(executor_, [this, began, counts = count_now(open_)] {
      const auto now = clock_.steady_now();
      next_count_ = now + kRestAfterCount * (now - began);
      is_counting_ = false;
      show(counts);
    });
  });
}

void HoldMetrics::show(const Counts& counts) {
  if (!counts) {
    spdlog::debug("holds cannot be counted: {}", counts.error().what);
    last_.reset();
    for (auto* gauge : {&held_, &due_, &overdue_}) {
      gauge->Set(std::numeric_limits<double>::quiet_NaN());
    }
    return;
  }
  last_ = *counts;
  held_.Set(static_cast<double>(counts->open));
  due_.Set(static_cast<double>(counts->due));
  overdue_.Set(std::chrono::duration<double>(counts->overdue).count());
}

}  // namespace inventory::server
