#pragma once

// A flow over a broker, a store and a clock that are not real: see fakes.h.

#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "service/flow.h"
#include "service/orders.h"
#include "service/testing/fakes.h"

namespace inventory::service::testing {

inline std::string order(int id) {
  return fmt::format(R"({{"order_id":{},"product_id":1,"quantity":1}})", id);
}

// Records what a flow tells its observer, in order, as words.
class RecordingObserver : public Observer {
 public:
  void connected() override { events.emplace_back("connected"); }
  void disconnected() override { events.emplace_back("disconnected"); }
  void received(std::size_t requests) override { add("received {}", requests); }
  void retried(store::Fault fault) override { add("retried {}", static_cast<int>(fault)); }
  void decided(const Tally& tally, Duration) override {
    std::string text = "decided";
    for (const auto& row : domain::kOutcomes) {
      const std::size_t count = tally.decided.at(domain::index_of(row.outcome));
      if (count > 0) text += fmt::format(" {} {},", count, row.text);
    }
    add("{} {} replays", text, tally.replays);
  }
  void published(const Published& messages) override {
    add("published {} {} {} {}", messages.confirmed, messages.returned, messages.given_up,
        messages.rejected);
  }
  void settled(Duration) override { events.emplace_back("settled"); }
  void acknowledged(const Tally&, std::span<const TimePoint> delivered, TimePoint) override {
    add("acknowledged {}", delivered.size());
  }

  void dead_lettered(const amqp::Message& letter) override { letters.push_back(letter); }

  std::vector<std::string> events;
  std::vector<amqp::Message> letters;

 private:
  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    events.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
};

// FlowOnFakes: the flow of orders, with 1,000 of product 1 on hand. `events`: which go to the
// exchange "told".
class FlowOnFakes : public ::testing::Test {
 protected:
  explicit FlowOnFakes(std::optional<domain::Telling> events = std::nullopt) : events_(events) {
    store_.tables.stock[1].quantity = 1'000;
    boost::asio::co_spawn(context_, flow_.run(), [this](const std::exception_ptr& error) {
      ended_ = true;
      error_ = error;
    });
  }
  void TearDown() override {
    on_change_ = [] {};  // a test's own variables are gone
    clock_.on_sleep = [] {};
    flow_.stop();
    context_.restart();
    context_.run();
    EXPECT_TRUE(ended_);
    EXPECT_EQ(error_, nullptr);
  }

  // Runs until nothing more can happen by itself: everything in these tests is ready at once.
  void settle() {
    context_.restart();
    context_.poll();
  }

  const std::optional<domain::Telling> events_;
  boost::asio::io_context context_;
  FakeBroker broker_{context_.get_executor()};
  FakeStore store_;
  FakeClock clock_;
  OrderHandler handler_{
      {.queue = "orders", .reply_queue = {"replies", true}, .events = events_}, store_, clock_};
  std::function<void()> on_change_ = [] {};
  RecordingObserver observer_;
  Flow flow_{context_.get_executor(),
             {.queue = "orders", .batch_max = 10, .events_exchange = events_ ? "told" : ""},
             broker_,
             handler_,
             store_,
             clock_,
             [this] { on_change_(); },
             observer_};
  bool ended_ = false;
  std::exception_ptr error_;  // with which the flow ended
};

}  // namespace inventory::service::testing
