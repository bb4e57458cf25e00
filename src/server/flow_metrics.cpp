#include "server/flow_metrics.h"

#include <algorithm>
#include <chrono>

namespace inventory::server {
namespace {

using prometheus::Histogram;
using prometheus::Labels;
using prometheus::Registry;
using service::Condition;
using service::Outcome;

// Both begin below the values of one request on an idle machine, and end where an outage begins.
const Histogram::BucketBoundaries kSeconds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                           0.25,   0.5,   1,      2.5,   5,    10,    30,   60};
const Histogram::BucketBoundaries kMessages{1,   2,   5,    10,   20,   50,   100,
                                            200, 500, 1000, 2000, 5000, 10000};

constexpr std::array kConditions{
    Condition::starting, Condition::consuming,          Condition::database_unavailable,
    Condition::paused,   Condition::broker_unavailable, Condition::blocked,
    Condition::rejected, Condition::stopping,           Condition::stopped};

const char* word(store::Fault fault) {
  switch (fault) {
    case store::Fault::retryable:
      return "retryable";
    case store::Fault::in_doubt:
      return "in_doubt";
    case store::Fault::link_lost:
      return "link_lost";
    case store::Fault::unavailable:
      return "unavailable";
    case store::Fault::locked:
      return "locked";
    case store::Fault::failing:
      return "failing";
    case store::Fault::refused:
      return "refused";
  }
  return "";
}

double seconds(service::Observer::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

prometheus::Counter& counter(Registry& registry, const char* name, const char* help,
                             const Labels& labels) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(labels);
}

prometheus::Gauge& gauge(Registry& registry, const char* name, const char* help,
                         const Labels& labels) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
}

Histogram& histogram(Registry& registry, const char* name, const char* help, const Labels& labels,
                     const Histogram::BucketBoundaries& limits) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add(labels, limits);
}

Histogram& stage(Registry& registry, const std::string& queue, const char* name) {
  return histogram(registry, "inventory_stage_duration_seconds",
                   "Time of a batch in a stage: decide is parsing and deciding, with repetitions; "
                   "publish is until the broker has confirmed.",
                   {{"queue", queue}, {"stage", name}}, kSeconds);
}

}  // namespace

FlowMetrics::FlowMetrics(Registry& registry, const std::string& queue,
                         std::span<const Outcome> outcomes)
    : replays_(counter(registry, "inventory_replays_total",
                       "Requests that were decided before, and answered as then.",
                       {{"queue", queue}})),
      repeated_with_another_message_id_(counter(
          registry, "inventory_orders_repeated_with_another_message_id_total",
          "Orders without line_id that were answered as repeated, in a message with another "
          "message_id: perhaps second lines for the same product.",
          {{"queue", queue}})),
      consumed_(counter(registry, "messaging_client_consumed_messages_total",
                        "Requests taken from the queue.", {{"queue", queue}})),
      sent_(counter(registry, "messaging_client_sent_messages_total",
                    "Replies and dead letters that the broker has confirmed.", {{"queue", queue}})),
      rejected_(counter(registry, "inventory_retries_total",
                        "Batches that were decided again, by the database's fault; replies and "
                        "dead letters that were published again because a queue rejected them.",
                        {{"queue", queue}, {"fault", "rejected"}})),
      returned_(counter(registry, "inventory_replies_returned_total",
                        "Replies whose queue was gone.", {{"queue", queue}})),
      given_up_(counter(registry, "inventory_replies_given_up_total",
                        "Replies that could not be delivered: their queue keeps rejecting, or the "
                        "broker refuses their address.",
                        {{"queue", queue}})),
      kept_(counter(registry, "inventory_replies_kept_total",
                    "Replies kept in a queue of the service's own, since their queue takes none.",
                    {{"queue", queue}})),
      waiting_(gauge(registry, "inventory_replies_waiting",
                     "Replies that wait for queues of clients that take none now.",
                     {{"queue", queue}})),
      put_aside_(gauge(registry, "inventory_requests_put_aside",
                       "Requests that the database fails to decide one by one, while others pass; "
                       "they are tried again.",
                       {{"queue", queue}})),
      reconnects_(counter(registry, "inventory_reconnects_total",
                          "Sessions with the broker after the first.", {{"queue", queue}})),
      blocked_seconds_(counter(registry, "inventory_blocked_seconds_total",
                               "Time in which the broker took no messages (connection.blocked).",
                               {{"queue", queue}})),
      in_flight_(gauge(registry, "inventory_messages_in_flight",
                       "Requests in batches that are not acknowledged.", {{"queue", queue}})),
      delivery_limit_(gauge(registry, "inventory_delivery_limit",
                            "Deliveries after which the broker drops a request, as far as the "
                            "queue tells; 0: none.",
                            {{"queue", queue}})),
      batch_(histogram(registry, "inventory_batch_messages", "Requests decided in one batch.",
                       {{"queue", queue}}, kMessages)),
      decide_(stage(registry, queue, "decide")),
      publish_(stage(registry, queue, "publish")),
      transaction_(histogram(registry, "db_client_operation_duration_seconds",
                             "Time of a transaction, also of one that failed.", {{"queue", queue}},
                             kSeconds)),
      process_(histogram(registry, "messaging_process_duration_seconds",
                         "Time of a request from its delivery to its acknowledgement.",
                         {{"queue", queue}}, kSeconds)),
      increments_(kSeconds.size() + 1) {
  const auto add_decision = [&](Outcome outcome) {
    const auto& row = domain::row_of(outcome);
    decisions_.at(static_cast<std::size_t>(outcome)) =
        &counter(registry, "inventory_decisions_total", "Requests decided, without replays.",
                 {{"queue", queue},
                  {"outcome", std::string(row.label)},
                  {"reason", std::string(row.reason)}});
  };
  std::ranges::for_each(outcomes, add_decision);
  for (const auto& row : domain::kOutcomes) {
    if (!row.is_dead_lettered) continue;
    add_decision(row.outcome);
    dead_letters_.at(domain::index_of(row.outcome)) =
        &counter(registry, "inventory_dead_letters_total",
                 "Requests that can never be processed, kept in the dead-letter queue.",
                 {{"queue", queue}, {"reason", std::string(row.reason)}});
  }
  using enum store::Fault;
  for (const store::Fault fault : {retryable, in_doubt, link_lost, unavailable}) {
    retries_.emplace_back(fault, &counter(registry, "inventory_retries_total", "",
                                          {{"queue", queue}, {"fault", word(fault)}}));
  }
  for (const auto key : contract::kRoutingKeys) {
    events_.push_back(&counter(registry, "inventory_events_total",
                               "Events that the broker has confirmed.",
                               {{"routing_key", std::string(key)}}));
  }
  for (const Condition condition : kConditions) {
    std::string name(service::to_string(condition));
    std::ranges::replace(name, ' ', '_');
    conditions_.emplace_back(condition,
                             &gauge(registry, "inventory_condition",
                                    "1 for the condition that the flow is in, 0 for the others.",
                                    {{"queue", queue}, {"condition", name}}));
  }
}

void FlowMetrics::refresh(const service::Status& status, std::optional<std::int64_t> delivery_limit,
                          TimePoint now) {
  delivery_limit_.Set(static_cast<double>(delivery_limit.value_or(0)));
  for (const auto& [condition, gauge] : conditions_) {
    gauge->Set(condition == status.condition ? 1 : 0);
  }
  count_blocked_time(now);
}

FlowMetrics::Now FlowMetrics::now() const {
  const auto value = [](const prometheus::Gauge& gauge) {
    return static_cast<std::size_t>(std::max(gauge.Value(), 0.0));
  };
  return {.in_flight = value(in_flight_),
          .replies_waiting = value(waiting_),
          .put_aside = value(put_aside_)};
}

std::span<const double> FlowMetrics::process_limits() { return kSeconds; }

std::vector<std::uint64_t> FlowMetrics::process_counts() const {
  std::vector<std::uint64_t> counts;
  counts.reserve(kSeconds.size() + 1);
  std::uint64_t below = 0;
  for (const auto& bucket : process_.Collect().histogram.bucket) {
    counts.push_back(bucket.cumulative_count - below);
    below = bucket.cumulative_count;
  }
  return counts;
}

void FlowMetrics::connected() {
  if (was_connected_) {
    reconnects_.Increment();
  }
  was_connected_ = true;
}

void FlowMetrics::disconnected() {
  in_flight_.Set(0);
  waiting_.Set(0);
  put_aside_.Set(0);
  blocked(false);
}

void FlowMetrics::blocked(bool is_blocked) {
  const auto now = std::chrono::steady_clock::now();
  count_blocked_time(now);
  if (!is_blocked) {
    blocked_since_.reset();
  } else if (!blocked_since_) {
    blocked_since_ = now;
  }
}

void FlowMetrics::count_blocked_time(TimePoint now) {
  if (blocked_since_) {
    blocked_seconds_.Increment(seconds(now - *blocked_since_));
    blocked_since_ = now;
  }
}

void FlowMetrics::received(std::size_t requests) {
  consumed_.Increment(static_cast<double>(requests));
  in_flight_.Increment(static_cast<double>(requests));
  batch_.Observe(static_cast<double>(requests));
}

void FlowMetrics::transaction(Duration took, std::optional<store::Fault>) {
  transaction_.Observe(seconds(took));
}

void FlowMetrics::retried(store::Fault fault) {
  const auto found = std::ranges::find(retries_, fault, &decltype(retries_)::value_type::first);
  if (found != retries_.end()) {
    found->second->Increment();
  }
}

void FlowMetrics::repeated_with_another_message_id() {
  repeated_with_another_message_id_.Increment();
}

void FlowMetrics::decided(const service::Tally& tally, Duration took) {
  for (std::size_t i = 0; i < tally.decided.size(); ++i) {
    if (tally.decided.at(i) > 0 && decisions_.at(i) != nullptr) {
      decisions_.at(i)->Increment(static_cast<double>(tally.decided.at(i)));
    }
  }
  if (tally.replays > 0) {
    replays_.Increment(static_cast<double>(tally.replays));
  }
  decide_.Observe(seconds(took));
}

void FlowMetrics::published(const service::Published& messages) {
  const auto add = [](prometheus::Counter& counter, std::size_t count) {
    if (count > 0) counter.Increment(static_cast<double>(count));
  };
  add(sent_, messages.confirmed);
  add(returned_, messages.returned);
  add(given_up_, messages.given_up);
  add(rejected_, messages.rejected);
  add(kept_, messages.kept);
  for (std::size_t i = 0; i < events_.size(); ++i) add(*events_[i], messages.events.at(i));
}

void FlowMetrics::waiting(std::size_t replies) { waiting_.Set(static_cast<double>(replies)); }

void FlowMetrics::put_aside(std::size_t requests) { put_aside_.Set(static_cast<double>(requests)); }

void FlowMetrics::settled(Duration took) { publish_.Observe(seconds(took)); }

void FlowMetrics::acknowledged(const service::Tally& tally, std::span<const TimePoint> delivered,
                               TimePoint now) {
  in_flight_.Decrement(static_cast<double>(delivered.size()));
  for (std::size_t i = 0; i < tally.decided.size(); ++i) {
    if (tally.decided.at(i) > 0 && dead_letters_.at(i) != nullptr) {
      dead_letters_.at(i)->Increment(static_cast<double>(tally.decided.at(i)));
    }
  }
  std::ranges::fill(increments_, 0);
  double sum = 0;
  for (const TimePoint time : delivered) {
    const double age = seconds(now - time);
    sum += age;
    ++increments_[static_cast<std::size_t>(std::ranges::lower_bound(kSeconds, age) -
                                           kSeconds.begin())];
  }
  process_.ObserveMultiple(increments_, sum);
}

}  // namespace inventory::server
