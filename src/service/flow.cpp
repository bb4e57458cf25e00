#include "service/flow.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace inventory::service {
namespace {

using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using std::chrono::milliseconds;
using namespace boost::asio::experimental::awaitable_operators;

constexpr milliseconds kReconnectFirst{250};
constexpr milliseconds kReconnectLast{30'000};
constexpr milliseconds kConflictFirst{2};  // a deadlock or a conflict passes quickly
constexpr milliseconds kOutageFirst{100};
constexpr milliseconds kOutageLast{5'000};
constexpr milliseconds kConflictsMax{10'000};  // a row that somebody keeps locked is an outage
constexpr int kStoppingConflictsMax = 5;
constexpr milliseconds kPatienceMax{600'000};  // well below RabbitMQ's consumer timeout
constexpr milliseconds kFinishMax{5'000};      // for answers to what was published, when stopping
constexpr milliseconds kFullPause{100};        // while many requests are put aside,
constexpr std::size_t kFullBatch = 10;         // after each so many
constexpr milliseconds kNothingPause{10};      // after a try that decided nothing

Tally count(std::span<const Answer> answers) {
  Tally tally;
  for (const Answer& answer : answers) {
    ++(answer.replayed ? tally.replays
                       : tally.decided.at(static_cast<std::size_t>(answer.outcome)));
  }
  return tally;
}

}  // namespace

struct Flow::Outage {
  Outage(std::chrono::steady_clock::time_point began, std::uint32_t seed)
      : since(began),
        conflict_backoff(kConflictFirst, kOutageLast, seed),
        outage_backoff(kOutageFirst, kOutageLast, seed) {}

  std::chrono::steady_clock::time_point since;
  Backoff conflict_backoff;
  Backoff outage_backoff;
  bool was_told = false;
  int stopping_conflicts = 0;
};

Flow::Flow(const boost::asio::any_io_executor& executor, FlowOptions options, Broker& broker,
           Handler& handler, store::Store& store, Clock& clock, std::function<void()> on_change,
           Observer& observer)
    : executor_(executor),
      options_(std::move(options)),
      broker_(broker),
      handler_(handler),
      store_(store),
      clock_(clock),
      on_change_(std::move(on_change)),
      observer_(observer),
      patience_(options_.pause_after),
      reconnect_backoff_(kReconnectFirst, kReconnectLast, options_.seed),
      pause_(executor, clock),
      settler_(executor,
               {.queue = options_.queue,
                .kept_queue = kept_queue(options_.queue),
                .events_exchange = options_.events_exchange,
                .waiting_of_queue_max = std::max<std::size_t>(1, options_.prefetch / 4),
                .waiting_max = std::max<std::size_t>(1, options_.prefetch * 3 / 8),
                .seed = options_.seed},
               clock,
               {.on_settled = [this](const SettledRequest& request) { on_settled(request); },
                .on_late = [this] { acknowledge(); },
                .on_change = [this] { update_status(); }},
               observer),
      reconnects_(clock),
      outages_(clock),
      aside_(executor, clock) {}

Task<void> Flow::run() {
  while (!pause_.is_stopping()) {
    Status why = co_await run_once();
    if (pause_.is_stopping()) {
      break;
    }
    const milliseconds pause = reconnect_backoff_.next();
    reconnects_.warn(
        to_string(why.condition),
        fmt::format("{}: {}; trying again in {} ms", options_.queue, why.reason, pause.count()));
    set_session(std::move(why));
    co_await pause_.wait(pause);
  }
  set_session({Condition::stopped, "stopped"});
}

void Flow::stop() {
  pause_.stop();
  settler_.stop();
  if (link_) {
    link_->stop_receiving();
  }
  update_status();
}

// One session: opens, pumps until something ends it, closes. Returns why it ended.
Task<Status> Flow::run_once() {
  if (auto failure = co_await open()) {
    co_return std::move(*failure);
  }
  spdlog::info("{}: taking requests", options_.queue);
  reconnects_.reset();
  outages_.reset();
  set_session({Condition::consuming, ""});
  observer_.connected();
  const auto since = clock_.steady_now();
  Pipe pipe(executor_, 1);
  Status why{Condition::broker_unavailable, ""};
  // They end together: the first stage tells the second through the pipe; the others tell the first
  // by abandoning the link. A try_again() that runs then is cancelled and left to the next link.
  co_await ((decide_stage(pipe, why) && reply_stage(pipe, why) && tend_stage(pipe, why)) ||
            aside_stage(pipe));
  if (aside_failure_) std::rethrow_exception(aside_failure_);
  const bool in_order = why.condition == Condition::stopping || why.condition == Condition::paused;
  co_await settler_.end(in_order);
  co_await link_->close();
  link_.reset();
  handler_.forget();
  acknowledger_.reset();
  settled_ = {};
  outage_.reset();
  suspicion_.reset();
  observer_.disconnected();
  if (clock_.steady_now() - since > kReconnectLast) {
    reconnect_backoff_.reset();  // it worked, though perhaps no request came
  }
  co_return why;
}

// Returns why there is no link.
Task<std::optional<Status>> Flow::open() {
  if (auto ready = co_await store_.ready(); !ready) {
    const bool is_paused = session_.condition == Condition::paused;
    co_return Status{is_paused ? Condition::paused : Condition::database_unavailable,
                     fmt::format("the database is not ready: {}", ready.error().what)};
  }
  if (pause_.is_stopping()) {
    co_return Status{Condition::stopping, "stopping"};
  }
  const auto not_ready = [](const amqp::Error& error) {
    return Status{Condition::broker_unavailable,
                  fmt::format("the broker is not ready: {}", error.what)};
  };
  auto link = co_await broker_.open();
  if (!link) co_return not_ready(link.error());
  link_ = std::move(*link);
  assert(acknowledger_.in_hand() == 0);  // nothing is kept from an earlier link
  if (pause_.is_stopping()) {
    link_->stop_receiving();
  }
  if (auto begun = co_await settler_.begin(*link_); !begun) {
    link_.reset();
    co_return not_ready(begun.error());
  }
  if (auto receiving = co_await link_->start_receiving(); !receiving) {
    co_await settler_.end(false);
    link_.reset();
    co_return not_ready(receiving.error());
  }
  co_return std::nullopt;
}

Task<void> Flow::decide_stage(Pipe& pipe, Status& why) {
  boost::system::error_code error;
  std::optional<Outage> outage;
  while (!error) {
    std::vector<amqp::Delivery> deliveries;
    if (!outage) {
      auto received = co_await receive(why);
      if (!received) break;
      deliveries = std::move(*received);
    }
    const auto since = clock_.steady_now();
    auto answered = co_await handler_.answer(std::move(deliveries));
    if (!answered.answers.empty()) {
      observer_.decided(count(answered.answers), clock_.steady_now() - since);
      co_await pipe.async_send({}, std::move(answered.answers),
                               redirect_error(use_awaitable, error));
    }
    update_suspicion();
    aside_.notify();
    if (answered.outage) {
      if (!outage) outage.emplace(since, options_.seed);
      const bool goes_on = co_await wait_out(*outage, *answered.outage, why);
      if (!goes_on) break;
    } else {
      if (outage && outage->was_told) {
        spdlog::info("{}: the database decides again", options_.queue);
        outages_.reset();
        set_outage({});
      }
      outage.reset();
      patience_ = options_.pause_after;
    }
  }
  co_await pipe.async_send({}, std::nullopt, redirect_error(use_awaitable, error));
}

// Runs until cancelled. Any other exception is a bug, which must not wait for the other stages to
// end, nor be lost with them.
Task<void> Flow::aside_stage(Pipe& pipe) {
  std::exception_ptr failure;
  try {
    co_await try_again(pipe);
  } catch (...) {
    failure = std::current_exception();
  }
  const auto state = co_await boost::asio::this_coro::cancellation_state;
  if (state.cancelled() == boost::asio::cancellation_type::none) {
    aside_failure_ = failure;
    link_->abandon();
  }
  std::rethrow_exception(failure);
}

// Tries what was put aside, beside the batches. Never returns.
Task<void> Flow::try_again(Pipe& pipe) {
  for (;;) {
    const auto next = handler_.next_try();
    const auto now = clock_.steady_now();
    if (!next || *next > now) {
      co_await aside_.wait(next ? std::optional(std::chrono::ceil<milliseconds>(*next - now))
                                : std::nullopt);
      continue;
    }
    auto answers = co_await handler_.try_again();
    if (answers.empty()) {
      co_await clock_.sleep(kNothingPause);  // whatever the reason, let others run
    } else {
      observer_.decided(count(answers), clock_.steady_now() - now);
      boost::system::error_code error;  // the flow ends
      co_await pipe.async_send({}, std::move(answers), redirect_error(use_awaitable, error));
    }
    update_suspicion();
  }
}

// Waits for requests. Returns nothing if there will be no more; `why` says why.
Task<std::optional<std::vector<amqp::Delivery>>> Flow::receive(Status& why) {
  std::size_t count = options_.batch_max;
  if (handler_.is_full() && !pause_.is_stopping()) {
    co_await pause_.wait(kFullPause);
    if (link_->waiting() == 0) co_return std::vector<amqp::Delivery>();
    count = std::min(count, kFullBatch);
  }
  auto deliveries = co_await link_->receive(count);
  if (!deliveries) {
    if (why.reason.empty()) {
      const bool is_stopping = deliveries.error().fault == amqp::Fault::stopping;
      why = {is_stopping ? Condition::stopping : Condition::broker_unavailable,
             fmt::format("no more requests from the broker: {}", deliveries.error().what)};
    }
    co_return std::nullopt;
  }
  assert(deliveries->size() <= count);
  for (const amqp::Delivery& delivery : *deliveries) acknowledger_.received(delivery.delivery_tag);
  if (!deliveries->empty()) observer_.received(deliveries->size());
  co_return std::move(*deliveries);
}

Task<void> Flow::reply_stage(Pipe& pipe, Status& why) {
  for (;;) {
    boost::system::error_code cancelled;  // by tend_stage()
    auto batch = co_await pipe.async_receive(redirect_error(use_awaitable, cancelled));
    if (cancelled) co_return;
    if (!batch) {
      co_await settler_.finish(pause_.is_stopping() ? kFinishMax : milliseconds(0));
      acknowledge();
      co_return;
    }
    const auto since = clock_.steady_now();
    auto failure = co_await settler_.settle(std::move(*batch));
    if (!failure) observer_.settled(clock_.steady_now() - since);
    acknowledge();
    if (failure) {
      why = {Condition::broker_unavailable, std::move(*failure)};
      break;
    }
  }
  link_->abandon();
  pipe.cancel();
  pipe.close();
}

// Takes care of what waits beside the batches.
Task<void> Flow::tend_stage(Pipe& pipe, Status& why) {
  if (auto failure = co_await settler_.tend()) {
    if (why.reason.empty()) why = {Condition::broker_unavailable, std::move(*failure)};
    link_->abandon();
    pipe.cancel();
    pipe.close();
  }
}

void Flow::on_settled(const SettledRequest& request) {
  acknowledger_.settled(request.delivery_tag);
  ++(request.replayed ? settled_.tally.replays
                      : settled_.tally.decided.at(static_cast<std::size_t>(request.outcome)));
  settled_.delivered.push_back(request.received_at);
}

void Flow::acknowledge() {
  if (settled_.delivered.empty()) return;
  assert(link_);  // they are its deliveries
  const auto due = acknowledger_.take();
  if (due.up_to) link_->acknowledge_up_to(*due.up_to);
  for (const std::uint64_t delivery_tag : due.alone) link_->acknowledge(delivery_tag);
  observer_.acknowledged(settled_.tally, settled_.delivered, clock_.steady_now());
  settled_.tally = {};
  settled_.delivered.clear();
  reconnect_backoff_.reset();
}

// Waits before the next try. False if there is no next try now: then nothing that waits may be
// acknowledged.
Task<bool> Flow::wait_out(Outage& outage, const store::Error& error, Status& why) {
  if (!why.reason.empty()) co_return false;  // the link was lost meanwhile
  const bool may_pass_at_once = error.fault == store::Fault::retryable;
  if (pause_.is_stopping() &&
      (!may_pass_at_once || ++outage.stopping_conflicts > kStoppingConflictsMax)) {
    why = {Condition::stopping, fmt::format("stopping while the database fails: {}", error.what)};
    co_return false;
  }
  const auto now = clock_.steady_now();
  const std::size_t requests = acknowledger_.in_hand() + link_->waiting();
  if (now - outage.since >= patience_) {
    // A full disk, for one, shows only when something is written. Starting again in vain costs each
    // request a redelivery, so the next time keep trying longer.
    patience_ = std::min(2 * patience_, std::max(kPatienceMax, options_.pause_after));
    why = {Condition::paused,
           fmt::format("paused, {} requests given back: {}", requests, error.what)};
    co_return false;
  }
  observer_.retried(error.fault);
  if (may_pass_at_once && now - outage.since < kConflictsMax) {
    spdlog::debug("{}: repeating a batch: {}", options_.queue, error.what);
    co_await pause_.wait(outage.conflict_backoff.next());
    co_return true;
  }
  const milliseconds pause = outage.outage_backoff.next();
  outages_.warn("database",
                fmt::format("{}: {} requests wait for the database: {}; trying again in {} ms",
                            options_.queue, requests, error.what, pause.count()));
  outage.was_told = true;
  set_outage(fmt::format("{} requests wait for the database: {}", requests, error.what));
  co_await pause_.wait(pause);
  co_return true;
}

void Flow::set_session(Status session) {
  session_ = std::move(session);
  update_status();
}

void Flow::set_outage(std::optional<std::string> outage) {
  outage_ = std::move(outage);
  update_status();
}

void Flow::update_suspicion() {
  auto suspicion = handler_.suspicion();
  if (suspicion == suspicion_) return;
  suspicion_ = std::move(suspicion);
  update_status();
}

void Flow::update_status() {
  Status status = session_;
  if (pause_.is_stopping() && session_.condition != Condition::stopped) {
    status = {Condition::stopping, "stopping: finishing what is in hand"};
  } else if (session_.condition == Condition::consuming) {
    if (outage_) {
      status = {Condition::database_unavailable, *outage_};
    } else if (suspicion_) {
      status = {Condition::database_unavailable, *suspicion_};
    } else if (const auto& blocked = settler_.blocked()) {
      status = {Condition::blocked, fmt::format("the broker takes no messages: {}", *blocked)};
    } else if (const auto& trouble = settler_.trouble()) {
      status = {Condition::rejected, *trouble};
    }
  }
  if (status_ != status) {
    status_ = std::move(status);
    on_change_();
  }
}

}  // namespace inventory::service
