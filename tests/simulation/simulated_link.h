#pragma once

// The flow's ports of broker and clock, in one simulated process.

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "environment.h"
#include "service/broker.h"
#include "service/clock.h"
#include "simulated_broker.h"

namespace inventory::simulation {

// SimulatedLink: does what service::AmqpBroker's link does, with the real amqp::Confirms.
class SimulatedLink : public service::Link {
 public:
  SimulatedLink(Environment& environment, SimulatedBroker& broker, LinkPointer state,
                service::OnBlocked on_blocked, std::size_t in_hand_max)
      : environment_(environment),
        broker_(broker),
        state_(std::move(state)),
        on_blocked_(std::move(on_blocked)),
        in_hand_max_(in_hand_max) {}
  SimulatedLink(const SimulatedLink&) = delete;
  SimulatedLink& operator=(const SimulatedLink&) = delete;
  ~SimulatedLink() override;  // drops it; of a process that was killed: nothing

  Task<amqp::Result<std::vector<amqp::Delivery>>> receive(std::size_t count) override;
  Task<amqp::Result<std::vector<amqp::Settlement>>> publish(
      std::span<const amqp::Message> messages) override;
  void acknowledge_up_to(std::uint64_t delivery_tag) override;
  void stop_receiving() override;
  void abandon() override { drop(); }
  Task<void> close() override;

 private:
  void drop();
  Task<void> wait_for_progress();

  Environment& environment_;
  SimulatedBroker& broker_;
  LinkPointer state_;
  service::OnBlocked on_blocked_;
  std::size_t in_hand_max_;
};

struct LinkOptions {
  std::string queue;
  std::vector<std::string> other_queues;  // declared as well
  std::size_t prefetch;
  std::size_t in_hand_max;  // what the flow promises to have in hand at most
};

class SimulatedBrokerPort : public service::Broker {
 public:
  SimulatedBrokerPort(Environment& environment, SimulatedBroker& broker, LifePointer life,
                      LinkOptions options)
      : environment_(environment),
        broker_(broker),
        life_(std::move(life)),
        options_(std::move(options)) {}

  Task<amqp::Result<std::unique_ptr<service::Link>>> open(service::OnBlocked on_blocked) override;

 private:
  Environment& environment_;
  SimulatedBroker& broker_;
  LifePointer life_;
  LinkOptions options_;
};

class SimulatedClock : public service::Clock {
 public:
  // `skew` is how far its wall clock is off.
  SimulatedClock(Scheduler& scheduler, LifePointer life, Time skew)
      : scheduler_(scheduler), life_(std::move(life)), skew_(skew) {}

  std::chrono::sys_time<std::chrono::microseconds> now() const override {
    constexpr std::chrono::sys_days kBegin{std::chrono::year{2026} / 1 / 1};
    return kBegin + scheduler_.now() + skew_;
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
