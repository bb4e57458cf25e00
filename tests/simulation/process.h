#pragma once

// Process: one running inventory-service: the real flow and handler for each kind of request, the
// real sweeper, and simulated ports.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "environment.h"
#include "service/flow.h"
#include "service/kinds.h"
#include "service/sweeper.h"
#include "simulated_broker.h"
#include "simulated_database.h"
#include "simulated_link.h"
#include "simulated_store.h"

namespace inventory::simulation {

struct ProcessOptions {
  std::size_t prefetch;
  std::size_t batch_max;
  milliseconds pause_after;
  std::size_t aside_max;
  std::size_t sweep_page;
  std::optional<domain::Telling> events;  // empty: there are none
};

class Process {
 public:
  Process(Environment& environment, SimulatedBroker& broker, SimulatedDatabase& database,
          const ProcessOptions& options);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  void stop();  // SIGTERM
  void kill();  // SIGKILL

  // True until it is killed, or until all flows have ended after stop().
  bool is_alive() const { return life_->is_alive; }
  bool is_stopping() const { return life_->is_stopping; }
  bool has(const LifePointer& life) const { return life_ == life; }
  bool is_consuming() const {
    return std::ranges::all_of(served_,
                               [](const auto& served) { return served->flow.is_consuming(); });
  }
  // Whether it takes requests, even if no queue takes its events.
  bool is_serving() const {
    return std::ranges::all_of(served_, [](const auto& served) {
      const auto condition = served->flow.status().condition;
      return condition == service::Condition::consuming ||
             condition == service::Condition::rejected;
    });
  }
  std::string describe() const;

 private:
  LinkOptions link_options(std::string_view queue, std::vector<std::string> others,
                           const ProcessOptions& options) const;
  service::FlowOptions flow_options(std::string_view queue, const ProcessOptions& options) const;

  // The queue of one kind of request, with all that its flow needs.
  struct ServedQueue {
    ServedQueue(Process& process, const service::KindRow& kind, const ProcessOptions& options);

    std::string_view queue;
    Arrivals arrivals;
    SimulatedBrokerPort broker;
    std::unique_ptr<service::Handler> handler;
    service::Flow flow;
  };
  void begin(Task<void> task);

  Environment& environment_;
  SimulatedBroker& broker_;
  SimulatedDatabase& database_;
  std::shared_ptr<Life> life_ = std::make_shared<Life>();
  SimulatedClock clock_;
  SimulatedStore store_;
  std::shared_ptr<service::Pulse> pulse_ = std::make_shared<service::Pulse>();
  std::vector<std::unique_ptr<ServedQueue>> served_;
  std::unique_ptr<service::Sweeper> sweeper_;
  std::size_t running_ = 0;  // flows and sweeper
};

}  // namespace inventory::simulation
