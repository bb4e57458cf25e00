#pragma once

// A broker, a store and a clock for tests of the flow, all on one thread and without I/O.

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "domain/decide_orders.h"
#include "service/broker.h"
#include "service/clock.h"
#include "store/store.h"

namespace inventory::service::testing {

// Event: lets coroutines wait until somebody says that something has changed.
class Event {
 public:
  explicit Event(const boost::asio::any_io_executor& executor)
      : timer_(executor, boost::asio::steady_timer::time_point::max()) {}

  Task<void> wait() {
    boost::system::error_code cancelled;
    co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, cancelled));
  }
  void notify() { timer_.cancel(); }

 private:
  boost::asio::steady_timer timer_;
};

// FakeClock: a sleep ends at once, and time has passed.
class FakeClock : public Clock {
 public:
  std::chrono::sys_time<std::chrono::microseconds> now() const override {
    return std::chrono::sys_time<std::chrono::microseconds>(std::chrono::seconds(1'000'000)) +
           std::chrono::duration_cast<std::chrono::microseconds>(passed_);
  }
  std::chrono::steady_clock::time_point steady_now() const override {
    return std::chrono::steady_clock::time_point() + passed_;
  }
  Task<void> sleep(std::chrono::milliseconds duration) override {
    passed_ += duration;
    slept_.push_back(duration);
    on_sleep();
    co_return;
  }
  void pass(std::chrono::milliseconds duration) { passed_ += duration; }
  const std::vector<std::chrono::milliseconds>& slept() const { return slept_; }

  std::function<void()> on_sleep = [] {};

 private:
  std::chrono::milliseconds passed_{0};
  std::vector<std::chrono::milliseconds> slept_;
};

// FakeBroker: one request queue. What was delivered and not acknowledged is delivered again on the
// next link. A test sets `on_publish` to say what becomes of each message.
class FakeBroker : public Broker {
 public:
  using Settler = std::function<amqp::Result<amqp::Settlement>(const amqp::Message&)>;

  explicit FakeBroker(boost::asio::any_io_executor executor)
      : executor_(std::move(executor)), changed_(executor_) {}

  void put(std::string body, std::string reply_to = "") {
    amqp::Delivery delivery;
    delivery.body = std::move(body);
    delivery.properties.reply_to = std::move(reply_to);
    ready_.push_back(std::move(delivery));
    changed_.notify();
  }

  Task<amqp::Result<std::unique_ptr<Link>>> open(OnBlocked on_blocked) override {
    ++opened_;
    say_blocked = std::move(on_blocked);
    if (failing_opens_ > 0) {
      --failing_opens_;
      co_return std::unexpected(amqp::Error{amqp::Fault::link_lost, "connection refused"});
    }
    while (!unacknowledged_.empty()) {
      unacknowledged_.back().redelivered = true;
      ready_.push_front(std::move(unacknowledged_.back()));
      unacknowledged_.pop_back();
    }
    lost_ = false;
    stopped_ = false;
    co_return std::make_unique<FakeLink>(*this);
  }

  void fail_opens(int count) { failing_opens_ = count; }
  void lose_link() {
    lost_ = true;
    changed_.notify();
  }

  Settler on_publish = [](const amqp::Message&) { return amqp::Settlement::confirmed; };
  std::function<void()> on_acknowledge = [] {};
  OnBlocked say_blocked = [](const std::optional<std::string>&) {};

  // What was published and confirmed, in order.
  const std::vector<amqp::Message>& published() const { return published_; }
  std::size_t acknowledged() const { return acknowledged_; }
  std::size_t waiting() const { return ready_.size(); }
  std::size_t unacknowledged() const { return unacknowledged_.size(); }
  int opened() const { return opened_; }
  const std::vector<std::size_t>& batches() const { return batches_; }

 private:
  class FakeLink : public Link {
   public:
    explicit FakeLink(FakeBroker& broker) : broker_(broker) {}

    Task<amqp::Result<std::vector<amqp::Delivery>>> receive(std::size_t count) override {
      while (broker_.ready_.empty() && !broker_.lost_ && !broker_.stopped_) {
        co_await broker_.changed_.wait();
      }
      if (broker_.lost_) {
        co_return std::unexpected(amqp::Error{amqp::Fault::link_lost, "connection reset"});
      }
      if (broker_.stopped_) {
        co_return std::unexpected(amqp::Error{amqp::Fault::stopping, "stopped"});
      }
      std::vector<amqp::Delivery> deliveries;
      while (!broker_.ready_.empty() && deliveries.size() < count) {
        amqp::Delivery delivery = std::move(broker_.ready_.front());
        broker_.ready_.pop_front();
        delivery.delivery_tag = ++last_tag_;
        broker_.unacknowledged_.push_back(delivery);
        deliveries.push_back(std::move(delivery));
      }
      broker_.batches_.push_back(deliveries.size());
      co_return deliveries;
    }

    Task<amqp::Result<std::vector<amqp::Settlement>>> publish(
        std::span<const amqp::Message> messages) override {
      std::vector<amqp::Settlement> settlements;
      for (const amqp::Message& message : messages) {
        if (broker_.lost_) {
          co_return std::unexpected(amqp::Error{amqp::Fault::link_lost, "connection reset"});
        }
        auto settlement = broker_.on_publish(message);
        if (!settlement) {
          co_return std::unexpected(settlement.error());
        }
        if (*settlement == amqp::Settlement::confirmed) {
          broker_.published_.push_back(message);
        }
        settlements.push_back(*settlement);
      }
      co_return settlements;
    }

    void acknowledge_up_to(std::uint64_t delivery_tag) override {
      if (broker_.lost_) {
        return;
      }
      const auto end = std::ranges::find_if(
          broker_.unacknowledged_,
          [&](const amqp::Delivery& delivery) { return delivery.delivery_tag > delivery_tag; });
      broker_.acknowledged_ += static_cast<std::size_t>(end - broker_.unacknowledged_.begin());
      broker_.unacknowledged_.erase(broker_.unacknowledged_.begin(), end);
      broker_.on_acknowledge();
    }

    void stop_receiving() override {
      broker_.stopped_ = true;
      broker_.changed_.notify();
    }
    void abandon() override { broker_.lose_link(); }
    Task<void> close() override { co_return; }

   private:
    FakeBroker& broker_;
    std::uint64_t last_tag_ = 0;
  };

  boost::asio::any_io_executor executor_;
  Event changed_;
  std::deque<amqp::Delivery> ready_;
  std::deque<amqp::Delivery> unacknowledged_;
  std::vector<amqp::Message> published_;
  std::vector<std::size_t> batches_;
  std::size_t acknowledged_ = 0;
  int opened_ = 0;
  int failing_opens_ = 0;
  bool lost_ = false;
  bool stopped_ = false;
};

// FakeStore: the domain's rules over maps. `faults` are what the next calls answer instead.
class FakeStore : public store::Store {
 public:
  Task<store::Result<int>> migrate() override { co_return 0; }

  Task<store::Result<void>> ready() override {
    if (unready_ > 0) {
      --unready_;
      co_return std::unexpected(store::Error{store::Fault::link_lost, "database refused"});
    }
    co_return store::Result<void>();
  }

  Task<store::Result<std::vector<domain::OrderDecision>>> decide_orders(
      std::span<const domain::Order> orders, store::Locks /*locks*/) override {
    ++calls_;
    if (!faults.empty()) {
      const store::Fault fault = faults.front();
      faults.pop_front();
      co_return std::unexpected(store::Error{fault, "a fault of the test"});
    }
    for (const domain::Order& order : orders) {
      if (poison.contains(order.id.display())) {
        co_return std::unexpected(store::Error{store::Fault::refused, "poison"});
      }
    }
    auto outcome = domain::decide_orders(orders, view);
    for (const auto& [product, quantity] : outcome.changed_stock) {
      view.on_hand[product] = quantity;
    }
    for (const auto& entry : outcome.new_entries) {
      view.decisions[entry.key] = {entry.verdict, entry.quantity};
    }
    co_return std::move(outcome.decisions);
  }

  Task<store::Result<std::vector<domain::ItemDecision>>> add_items(
      std::span<const domain::NewItem> requests) override {
    std::vector<domain::ProductId> ids(requests.size());
    std::ranges::generate(ids, [this] { return ++last_id_; });
    auto outcome = domain::decide_items(requests, items_, ids);
    for (const auto& added : outcome.added) {
      if (added.identity) {
        items_[*added.identity] = added.item;
      }
    }
    co_return std::move(outcome.decisions);
  }

  void fail_ready(int count) { unready_ = count; }
  int calls() const { return calls_; }

  domain::BatchView view;
  std::deque<store::Fault> faults;
  std::set<std::string> poison;  // order ids that this database refuses

 private:
  std::map<std::string, domain::Item> items_;
  domain::ProductId last_id_ = 0;
  int unready_ = 0;
  int calls_ = 0;
};

}  // namespace inventory::service::testing
