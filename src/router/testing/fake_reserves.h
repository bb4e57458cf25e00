#pragma once

// Reserves for tests of the router: queues in memory, without I/O. Not for several sources.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "router/reserves.h"
#include "service/testing/fakes.h"

namespace inventory::router::testing {

// What was taken and not removed is put back when its reserve ends.
class FakeReserves : public Reserves {
 public:
  explicit FakeReserves(const boost::asio::any_io_executor& executor) : told_(executor) {}

  void put(const std::string& queue, amqp::Delivery delivery) {
    queues_[queue].push_back(std::move(delivery));
  }
  std::size_t size(const std::string& queue) const {
    return queues_.contains(queue) ? queues_.at(queue).size() : 0;
  }

  Task<amqp::Result<std::unique_ptr<Reserve>>> open(std::string queue) override {
    ++opened_;
    if (fail_opens > 0) {
      --fail_opens;
      co_return std::unexpected(amqp::Error{amqp::Fault::link_lost, "connection refused"});
    }
    if (!queues_.contains(queue)) {
      co_return std::unexpected(amqp::Error{amqp::Fault::refused, "no queue", kNotFound});
    }
    if (locked.contains(queue)) {
      co_return std::unexpected(amqp::Error{amqp::Fault::refused, "locked", kLocked});
    }
    co_return std::make_unique<FakeReserve>(*this, std::move(queue));
  }
  // After the first time, waits until the number has changed.
  Task<amqp::Result<std::uint32_t>> consumers(std::string) override {
    const auto drops = dropped_;
    while (told_count_ == consumers_ && drops == dropped_) co_await told_.wait();
    if (drops != dropped_) {
      co_return std::unexpected(amqp::Error{amqp::Fault::link_lost, "connection given up"});
    }
    told_count_ = consumers_;
    co_return consumers_;
  }
  void set_consumers(std::uint32_t count) {
    consumers_ = count;
    told_.notify();
  }
  void drop() override {
    ++dropped_;
    told_count_.reset();
    told_.notify();
  }

  int opened() const { return opened_; }
  int dropped() const { return dropped_; }

  std::set<std::string> locked;  // what another router reads
  int fail_opens = 0;
  int fail_next = 0;  // so many calls of next() fail
  std::function<void(const std::string& queue)> on_next = [](const auto&) {};

 private:
  class FakeReserve : public Reserve {
   public:
    FakeReserve(FakeReserves& of, std::string queue) : of_(of), queue_(std::move(queue)) {}
    ~FakeReserve() override {
      while (!taken_.empty()) {
        of_.queues_[queue_].push_front(std::move(taken_.rbegin()->second));
        taken_.erase(std::prev(taken_.end()));
      }
    }

    Task<amqp::Result<std::optional<amqp::Delivery>>> next() override {
      of_.on_next(queue_);
      if (of_.fail_next > 0) {
        --of_.fail_next;
        co_return std::unexpected(amqp::Error{amqp::Fault::link_lost, "connection reset"});
      }
      const auto queue = of_.queues_.find(queue_);
      if (queue == of_.queues_.end()) {
        co_return std::unexpected(amqp::Error{amqp::Fault::refused, "no queue", kNotFound});
      }
      if (queue->second.empty()) co_return std::optional<amqp::Delivery>();
      amqp::Delivery delivery = std::move(queue->second.front());
      queue->second.pop_front();
      delivery.delivery_tag = ++last_tag_;
      taken_.emplace(last_tag_, delivery);
      co_return std::optional(std::move(delivery));
    }
    amqp::Result<void> remove(std::span<const std::uint64_t> delivery_tags) override {
      for (const std::uint64_t tag : delivery_tags) taken_.erase(tag);
      return {};
    }

   private:
    FakeReserves& of_;
    std::string queue_;
    std::map<std::uint64_t, amqp::Delivery> taken_;
    std::uint64_t last_tag_ = 0;
  };

  std::map<std::string, std::deque<amqp::Delivery>> queues_;
  service::testing::Event told_;
  std::uint32_t consumers_ = 1;  // of the source
  std::optional<std::uint32_t> told_count_;
  int opened_ = 0;
  int dropped_ = 0;
};

}  // namespace inventory::router::testing
