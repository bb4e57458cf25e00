#pragma once

// The flow's broker and clock ports in one simulated process.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "environment.h"
#include "service/broker.h"
#include "service/clock.h"
#include "simulated_broker.h"

namespace inventory::simulation {

// SimulatedOutlet: does what service::AmqpBroker's outlet does, with the real amqp::Confirms.
class SimulatedOutlet : public service::Outlet {
 public:
  SimulatedOutlet(Environment& environment, SimulatedBroker& broker, OutletPointer state)
      : environment_(environment), broker_(broker), state_(std::move(state)) {}
  SimulatedOutlet(const SimulatedOutlet&) = delete;
  SimulatedOutlet& operator=(const SimulatedOutlet&) = delete;
  ~SimulatedOutlet() override;  // drops the connection, unless its process was killed

  Task<amqp::Result<std::size_t>> send(std::span<const std::uint64_t> tokens,
                                       const amqp::FindMessage& find) override;
  void stop_sending() override;
  Task<amqp::Result<void>> ensure_queue(std::string name) override;
  Task<amqp::Result<void>> ensure_exchange(std::string name) override;
  Task<void> close() override;

 private:
  Environment& environment_;
  SimulatedBroker& broker_;
  OutletPointer state_;
};

// SimulatedLink: does what service::AmqpBroker's link does.
class SimulatedLink : public service::Link {
 public:
  SimulatedLink(Environment& environment, SimulatedBroker& broker, Arrivals& arrivals,
                LinkPointer state)
      : environment_(environment),
        broker_(broker),
        arrivals_(arrivals),
        state_(std::move(state)),
        starts_(broker.starts()) {}
  SimulatedLink(const SimulatedLink&) = delete;
  SimulatedLink& operator=(const SimulatedLink&) = delete;
  ~SimulatedLink() override;  // drops the connection, unless its process was killed

  Task<amqp::Result<std::unique_ptr<service::Outlet>>> open_outlet(
      Connection connection, service::OutletEvents events) override;
  Task<amqp::Result<void>> start_receiving() override;
  Task<amqp::Result<std::vector<amqp::Delivery>>> receive(std::size_t count) override;
  std::size_t waiting() const override { return state_->inbox.size(); }
  void acknowledge_up_to(std::uint64_t delivery_tag) override;
  void acknowledge(std::uint64_t delivery_tag) override;
  void stop_receiving() override;
  void abandon() override { broker_.drop_at_client(state_); }
  Task<void> close() override;

 private:
  bool fails();
  bool may_be_given_up(const LinkState::InHand& one) const;
  void see_acknowledged(const LinkState::InHand& one);

  Environment& environment_;
  SimulatedBroker& broker_;
  Arrivals& arrivals_;
  LinkPointer state_;
  std::uint64_t starts_;  // of the broker
};

struct LinkOptions {
  std::string queue;
  std::vector<std::string> other_queues;  // declared as well
  std::size_t prefetch;
};

class SimulatedBrokerPort : public service::Broker {
 public:
  // `arrivals`: records what is received.
  SimulatedBrokerPort(Environment& environment, SimulatedBroker& broker, LifePointer life,
                      Arrivals& arrivals, LinkOptions options)
      : environment_(environment),
        broker_(broker),
        life_(std::move(life)),
        arrivals_(arrivals),
        options_(std::move(options)) {}

  Task<amqp::Result<std::unique_ptr<service::Link>>> open() override;

 private:
  Environment& environment_;
  SimulatedBroker& broker_;
  LifePointer life_;
  Arrivals& arrivals_;
  LinkOptions options_;
  std::shared_ptr<Addresses> addresses_ = std::make_shared<Addresses>();
};

class SimulatedClock : public service::Clock {
 public:
  // `skew` is the error of its wall clock.
  SimulatedClock(Scheduler& scheduler, LifePointer life, Time skew)
      : scheduler_(scheduler), life_(std::move(life)), skew_(skew) {}

  std::chrono::sys_time<std::chrono::microseconds> now() const override {
    return scheduler_.wall_now() + skew_;
  }
  std::chrono::steady_clock::time_point steady_now() const override {
    return std::chrono::steady_clock::time_point() + scheduler_.now();
  }
  Task<void> sleep(milliseconds duration) override { return scheduler_.sleep(life_, duration); }

 private:
  Scheduler& scheduler_;
  LifePointer life_;
  Time skew_;
};

}  // namespace inventory::simulation
