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

#include "domain/testing/memory_tables.h"
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

// FakeClock: a sleep ends at once and advances the time.
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
// next link. A test sets `on_publish` to say what becomes of each message; an error closes the
// outlet. Messages for a queue in `silent` get no answer until answer() is called.
class FakeBroker : public Broker {
 public:
  using Settler = std::function<amqp::Result<amqp::Settlement>(const amqp::Message&)>;

  explicit FakeBroker(boost::asio::any_io_executor executor)
      : executor_(std::move(executor)), changed_(executor_) {}

  void put(std::string body, std::string reply_to = "") {
    amqp::Delivery delivery;
    delivery.body = std::move(body);
    delivery.properties.reply_to = std::move(reply_to);
    put(std::move(delivery));
  }
  void put(amqp::Delivery delivery) {
    ready_.push_back(std::move(delivery));
    changed_.notify();
  }

  Task<amqp::Result<std::unique_ptr<Link>>> open() override {
    ++opened_;
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

  // The connections that publish break, while nothing is sent over them.
  void lose_outlets() {
    const auto outlets = outlets_;
    for (FakeOutlet* const outlet : outlets) {
      outlet->events.on_lost({amqp::Fault::link_lost, "connection reset"});
    }
  }

  // Over all outlets.
  void say_blocked(const std::optional<std::string>& reason) {
    for (FakeOutlet* const outlet : outlets_) outlet->events.on_blocked(reason);
  }

  // The callbacks of the connection over which events are published.
  const OutletEvents& announcing() const {
    return (*std::ranges::find_if(outlets_, &FakeOutlet::has_declared_exchange))->events;
  }

  // The silent queue answers for all that was sent to it.
  void answer(const std::string& queue, amqp::Settlement settlement) {
    silent.erase(queue);
    for (auto& unanswered : std::exchange(unanswered_, {})) {
      if (unanswered.queue != queue) {
        unanswered_.push_back(unanswered);
      } else if (outlets_.contains(unanswered.outlet)) {
        unanswered.outlet->events.on_settled(unanswered.token, settlement);
      }
    }
  }

  Settler on_publish = [](const amqp::Message&) { return amqp::Settlement::confirmed; };
  std::optional<amqp::Error> exchange_error;  // of its declaration
  std::function<void()> on_acknowledge = [] {};
  std::set<std::string> silent;
  // An outlet with so many unanswered messages does not read further ones.
  std::size_t unanswered_max = 1'000'000;
  std::unique_ptr<Event> hold_shared;  // a shared connection opens when this is notified and gone

  // What was published and confirmed, in order.
  const std::vector<amqp::Message>& published() const { return published_; }
  // How often a message was published to this queue, whatever became of it.
  std::size_t tries(const std::string& queue) const {
    return static_cast<std::size_t>(std::ranges::count(tried_, queue));
  }
  std::size_t acknowledged() const { return acknowledged_; }
  std::size_t waiting() const { return ready_.size(); }
  std::size_t unacknowledged() const { return unacknowledged_.size(); }
  int opened() const { return opened_; }
  int outlets_opened() const { return outlets_opened_; }
  int exchanges_declared() const { return exchanges_declared_; }
  const std::vector<std::string>& queues_declared() const { return queues_declared_; }
  const std::vector<std::size_t>& batches() const { return batches_; }

 private:
  class FakeOutlet : public Outlet {
   public:
    FakeOutlet(FakeBroker& broker, OutletEvents what) : events(std::move(what)), broker_(broker) {
      broker_.outlets_.insert(this);
    }
    ~FakeOutlet() override { broker_.outlets_.erase(this); }

    Task<amqp::Result<std::size_t>> send(std::span<const std::uint64_t> tokens,
                                         const amqp::FindMessage& find) override {
      for (const std::uint64_t token : tokens) {
        const amqp::Message* const message = find(token);
        if (message == nullptr) continue;
        if (broker_.lost_) co_return lose({amqp::Fault::link_lost, "connection reset"});
        broker_.tried_.push_back(message->routing_key);
        if (broker_.silent.contains(message->routing_key) ||
            broker_.unanswered_of(this) >= broker_.unanswered_max) {
          broker_.unanswered_.push_back({this, token, message->routing_key});
          continue;
        }
        auto settlement = broker_.on_publish(*message);
        if (!settlement) co_return lose(std::move(settlement.error()));
        if (*settlement == amqp::Settlement::confirmed) broker_.published_.push_back(*message);
        events.on_settled(token, *settlement);
      }
      co_return tokens.size();
    }
    void stop_sending() override {}
    Task<amqp::Result<void>> ensure_queue(std::string name) override {
      broker_.queues_declared_.push_back(std::move(name));
      co_return amqp::Result<void>();
    }
    Task<amqp::Result<void>> ensure_exchange(std::string) override {
      ++broker_.exchanges_declared_;
      has_declared_exchange = true;
      if (broker_.exchange_error) co_return std::unexpected(*broker_.exchange_error);
      co_return amqp::Result<void>();
    }
    Task<void> close() override { co_return; }

    OutletEvents events;
    bool has_declared_exchange = false;

   private:
    std::unexpected<amqp::Error> lose(amqp::Error error) {
      events.on_lost(error);
      return std::unexpected(std::move(error));
    }

    FakeBroker& broker_;
  };

  class FakeLink : public Link {
   public:
    explicit FakeLink(FakeBroker& broker) : broker_(broker) {}

    Task<amqp::Result<std::unique_ptr<Outlet>>> open_outlet(Connection sort,
                                                            OutletEvents events) override {
      while (sort == Connection::shared && broker_.hold_shared) {
        co_await broker_.hold_shared->wait();
      }
      ++broker_.outlets_opened_;
      co_return std::make_unique<FakeOutlet>(broker_, std::move(events));
    }
    Task<amqp::Result<void>> start_receiving() override { co_return amqp::Result<void>(); }

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
    std::size_t waiting() const override { return broker_.ready_.size(); }

    void acknowledge_up_to(std::uint64_t delivery_tag) override {
      acknowledge_if([=](const auto& delivery) { return delivery.delivery_tag <= delivery_tag; });
    }
    void acknowledge(std::uint64_t delivery_tag) override {
      acknowledge_if([=](const auto& delivery) { return delivery.delivery_tag == delivery_tag; });
    }
    void stop_receiving() override {
      broker_.stopped_ = true;
      broker_.changed_.notify();
    }
    void abandon() override { broker_.lose_link(); }
    Task<void> close() override { co_return; }

   private:
    template <class Predicate>
    void acknowledge_if(Predicate predicate) {
      if (broker_.lost_) return;
      broker_.acknowledged_ += std::erase_if(broker_.unacknowledged_, predicate);
      broker_.on_acknowledge();
    }

    FakeBroker& broker_;
    std::uint64_t last_tag_ = 0;
  };

  struct Unanswered {
    FakeOutlet* outlet;
    std::uint64_t token;
    std::string queue;
  };
  std::size_t unanswered_of(const FakeOutlet* outlet) const {
    return static_cast<std::size_t>(
        std::ranges::count(unanswered_, outlet, [](const auto& one) { return one.outlet; }));
  }

  boost::asio::any_io_executor executor_;
  Event changed_;
  std::deque<amqp::Delivery> ready_;
  std::deque<amqp::Delivery> unacknowledged_;
  std::vector<amqp::Message> published_;
  std::vector<std::string> tried_;
  std::vector<Unanswered> unanswered_;
  std::set<FakeOutlet*> outlets_;
  std::vector<std::size_t> batches_;
  std::vector<std::string> queues_declared_;
  std::size_t acknowledged_ = 0;
  int opened_ = 0;
  int outlets_opened_ = 0;
  int exchanges_declared_ = 0;
  int failing_opens_ = 0;
  bool lost_ = false;
  bool stopped_ = false;
};

// FakeStore: the domain's rules over maps. `faults` are the errors that the next calls return
// instead.
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

  Task<store::Result<std::vector<domain::Decision>>> execute(
      std::span<const domain::Command> commands, store::Locks locks,
      std::vector<domain::StockNews>* news) override {
    ++calls_;
    was_asked_for_news |= news != nullptr;
    if (!faults.empty()) {
      const store::Fault fault = faults.front();
      faults.pop_front();
      co_return std::unexpected(store::Error{fault, "a fault of the test"});
    }
    std::vector<domain::ProductId> skipped;
    for (const domain::Command& command : commands) {
      const auto* order = std::get_if<domain::Order>(&command);
      if (order != nullptr && poison.contains(order->id.display())) {
        co_return std::unexpected(store::Error{store::Fault::refused, "poison"});
      }
      for (const domain::ProductId product : domain::products_of(command)) {
        if (failing.contains(product)) {
          on_failing();
          co_return std::unexpected(store::Error{store::Fault::failing, "a trigger says no"});
        }
        if (conflicting.contains(product)) {
          co_return std::unexpected(store::Error{store::Fault::retryable, "a trigger's conflict"});
        }
        if (locked.contains(product)) skipped.push_back(product);
      }
    }
    if (hold && std::ranges::any_of(commands, [this](const domain::Command& command) {
          return std::ranges::any_of(domain::products_of(command),
                                     [this](auto product) { return held.contains(product); });
        })) {
      co_await hold->wait();
    }
    if (!skipped.empty()) {
      if (locks == store::Locks::wait) ++waits_for_locks_;
      if (locks == store::Locks::wait_briefly) ++brief_waits_for_locks_;
      co_return std::unexpected(
          store::Error{store::Fault::locked, "locked",
                       locks == store::Locks::skip ? skipped : std::vector<domain::ProductId>()});
    }
    co_return tables.decide(commands, nullptr, news);
  }

  // Another fails as an order for it would.
  Task<store::Result<void>> try_another(std::span<const domain::ProductId> products) override {
    ++trials_;
    for (const auto& [id, stock] : tables.stock) {
      if (std::ranges::find(products, id) != products.end()) continue;
      const bool is_out_of_order = failing.contains(id) || locked.contains(id);
      if (!is_out_of_order) co_return store::Result<void>();
    }
    co_return std::unexpected(store::Error{store::Fault::failing, "no other can be sold"});
  }

  Task<store::Result<std::vector<domain::Hold>>> due_holds(std::optional<domain::Hold> after,
                                                           std::size_t count) override {
    if (hangs_on_due) {
      hangs_on_due();
      co_await Event(co_await boost::asio::this_coro::executor).wait();
    }
    if (due_faults > 0) {
      --due_faults;
      co_return std::unexpected(store::Error{store::Fault::link_lost, "a fault of the test"});
    }
    std::vector<domain::Hold> due;
    for (const auto& [_, one] : tables.holds) {
      const bool is_behind = !after || place_of(*after) < place_of(one);
      if (one.expires_at <= tables.now && is_behind) due.push_back(one);
    }
    std::ranges::sort(due, {}, place_of);
    due.resize(std::min(due.size(), count));
    co_return due;
  }

  void fail_ready(int count) { unready_ = count; }
  int trials() const { return trials_; }
  int calls() const { return calls_; }
  int waits_for_locks() const { return waits_for_locks_; }
  int brief_waits_for_locks() const { return brief_waits_for_locks_; }

  domain::MemoryTables tables;
  std::deque<store::Fault> faults;
  bool was_asked_for_news = false;
  int due_faults = 0;                   // so many of the next due_holds() fail
  std::function<void()> hangs_on_due;   // due_holds() calls this, and does not end
  std::set<std::string> poison;         // order ids that this database refuses
  std::set<domain::ProductId> failing;  // for whose orders a trigger fails
  std::set<domain::ProductId> conflicting;
  std::set<domain::ProductId> locked;  // locked by somebody
  std::function<void()> on_failing = [] {};
  std::set<domain::ProductId> held;  // whose orders take until `hold` is notified
  std::unique_ptr<Event> hold;

 private:
  static std::pair<domain::Timestamp, domain::LedgerKey> place_of(const domain::Hold& one) {
    return {one.expires_at, one.key};
  }

  int unready_ = 0;
  int trials_ = 0;
  int calls_ = 0;
  int waits_for_locks_ = 0;
  int brief_waits_for_locks_ = 0;
};

}  // namespace inventory::service::testing
