#pragma once

// Process: one inventory-service as it runs: two real flows over their real handlers, and the
// simulated ports.

#include <memory>

#include "environment.h"
#include "service/flow.h"
#include "service/items.h"
#include "service/orders.h"
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

  // Until it was killed, or both flows have ended, which they do only after stop().
  bool is_alive() const { return life_->is_alive; }
  bool is_stopping() const { return life_->is_stopping; }
  bool is_consuming() const { return orders_.is_consuming() && items_.is_consuming(); }
  std::string describe() const {
    return fmt::format("orders: {}, items: {}", describe(orders_), describe(items_));
  }

 private:
  LinkOptions link_options(std::string_view queue, std::vector<std::string> others,
                           const ProcessOptions& options) const;
  service::FlowOptions flow_options(std::string_view queue, const ProcessOptions& options) const;
  static std::string describe(const service::Flow& flow) {
    return fmt::format("{}: {}", to_string(flow.status().condition), flow.status().reason);
  }
  void begin(service::Flow& flow);

  Environment& environment_;
  SimulatedBroker& broker_;
  SimulatedDatabase& database_;
  std::shared_ptr<Life> life_ = std::make_shared<Life>();
  SimulatedClock clock_;
  Arrivals order_arrivals_;
  Arrivals item_arrivals_;
  SimulatedStore store_;
  SimulatedBrokerPort order_broker_;
  SimulatedBrokerPort item_broker_;
  service::OrderHandler order_handler_;
  service::ItemHandler item_handler_;
  service::Flow orders_;
  service::Flow items_;
  int running_ = 2;
};

}  // namespace inventory::simulation
