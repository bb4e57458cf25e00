#include "process.h"

#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>

namespace inventory::simulation {

namespace {

std::vector<std::string> own_reply_queue(const service::KindRow& kind) {
  if (!kind.declares_reply_queue) return {};
  return {std::string(kind.reply_queue)};
}

// The error of a clock: small, or an hour.
Time draw_skew(Random& random) {
  const Time most = random.chance(500) ? seconds(5) : seconds(3'600);
  return Time(random.below(2 * static_cast<std::uint64_t>(most.count()))) - most;
}

}  // namespace

Process::ServedQueue::ServedQueue(Process& process, const service::KindRow& kind,
                                  const ProcessOptions& options)
    : queue(kind.queue),
      broker(process.environment_, process.broker_, process.life_, arrivals,
             process.link_options(kind.queue, own_reply_queue(kind), options)),
      handler(kind.make_handler(
          {.queue = std::string(kind.queue),
           .reply_queue = {std::string(kind.reply_queue), kind.declares_reply_queue},
           .bytes_max = kBodyBytesMax,
           .aside_max = options.aside_max,
           .pulse = process.pulse_,
           .events = options.events},
          process.store_, process.clock_, service::Observer::none())),
      flow(process.environment_.scheduler.context().get_executor(),
           process.flow_options(kind.queue, options), broker, *handler, process.store_,
           process.clock_, [] {}) {}

Process::Process(Environment& environment, SimulatedBroker& broker, SimulatedDatabase& database,
                 const ProcessOptions& options)
    : environment_(environment),
      broker_(broker),
      database_(database),
      clock_(environment.scheduler, life_, draw_skew(environment.random)),
      store_(environment, database, life_) {
  for (const service::KindRow& kind : service::kinds()) {
    served_.push_back(std::make_unique<ServedQueue>(*this, kind, options));
  }
  store_.watch_orders(served_.front()->arrivals);
  ServedQueue& expiry = *served_[static_cast<std::size_t>(Kind::expiry)];
  sweeper_ = std::make_unique<service::Sweeper>(
      environment.scheduler.context().get_executor(),
      service::SweeperOptions{.queue = std::string(expiry.queue), .page = options.sweep_page},
      expiry.broker, store_, clock_);
  running_ = served_.size() + 1;
  for (const auto& served : served_) begin(served->flow.run());
  begin(sweeper_->run());
}

std::string Process::describe() const {
  std::string text;
  for (const auto& served : served_) {
    const service::Status& status = served->flow.status();
    text += fmt::format("{}: {}: {}; ", served->queue, to_string(status.condition), status.reason);
  }
  return text;
}

LinkOptions Process::link_options(std::string_view queue, std::vector<std::string> others,
                                  const ProcessOptions& options) const {
  others.push_back(service::dead_letter_queue(queue));
  return {
      .queue = std::string(queue), .other_queues = std::move(others), .prefetch = options.prefetch};
}

service::FlowOptions Process::flow_options(std::string_view queue,
                                           const ProcessOptions& options) const {
  return {.queue = std::string(queue),
          .batch_max = options.batch_max,
          .pause_after = options.pause_after,
          .seed = static_cast<std::uint32_t>(environment_.random.below(1'000'000)),
          .events_exchange = options.events ? std::string(kExchange) : ""};
}

// Members and coroutine frames are destroyed in an unknown order, so nothing may use them any more.
Process::~Process() { life_->is_alive = false; }

void Process::begin(Task<void> task) {
  boost::asio::co_spawn(
      environment_.scheduler.context(), std::move(task), [this](const std::exception_ptr& thrown) {
        try {
          if (thrown) std::rethrow_exception(thrown);
        } catch (const std::exception& exception) {
          environment_.checks.broken("a flow ends only when it is stopped", exception.what());
        }
        --running_;
        life_->is_alive = running_ > 0;
      });
}

void Process::stop() {
  environment_.trace("process: stopped");
  life_->is_stopping = true;
  for (const auto& served : served_) served->flow.stop();
  sweeper_->stop();
}

void Process::kill() {
  environment_.trace("process: killed");
  life_->is_alive = false;
  broker_.forget(life_);
  database_.forget(life_);
}

}  // namespace inventory::simulation
