#include "process.h"

#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>

namespace inventory::simulation {

Process::Process(Environment& environment, SimulatedBroker& broker, SimulatedDatabase& database,
                 const ProcessOptions& options)
    : environment_(environment),
      broker_(broker),
      database_(database),
      clock_(environment.scheduler, life_, Time(environment.random.below(5'000'000))),
      store_(environment, database, life_, order_arrivals_),
      order_broker_(environment, broker, life_, order_arrivals_,
                    link_options(kOrderQueue, {std::string(kOrderReplies)}, options)),
      item_broker_(environment, broker, life_, item_arrivals_,
                   link_options(kItemQueue, {}, options)),
      order_handler_({.queue = std::string(kOrderQueue),
                      .reply_queue = {std::string(kOrderReplies), true},
                      .bytes_max = kBodyBytesMax,
                      .aside_max = options.aside_max},
                     store_, clock_),
      item_handler_({.queue = std::string(kItemQueue),
                     .reply_queue = {std::string(kItemReplies), false},
                     .bytes_max = kBodyBytesMax,
                     .aside_max = options.aside_max},
                    store_, clock_),
      orders_(environment.scheduler.context().get_executor(), flow_options(kOrderQueue, options),
              order_broker_, order_handler_, store_, clock_, [] {}),
      items_(environment.scheduler.context().get_executor(), flow_options(kItemQueue, options),
             item_broker_, item_handler_, store_, clock_, [] {}) {
  begin(orders_);
  begin(items_);
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
          .seed = static_cast<std::uint32_t>(environment_.random.below(1'000'000))};
}

// What is left of it is destroyed in no order that a process knows: nothing may look at it any
// more.
Process::~Process() { life_->is_alive = false; }

void Process::begin(service::Flow& flow) {
  boost::asio::co_spawn(
      environment_.scheduler.context(), flow.run(), [this](const std::exception_ptr& thrown) {
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
  orders_.stop();
  items_.stop();
}

void Process::kill() {
  environment_.trace("process: killed");
  life_->is_alive = false;
  broker_.forget(life_);
  database_.forget(life_);
}

}  // namespace inventory::simulation
