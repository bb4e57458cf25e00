#include "service/flow.h"

#include <algorithm>
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

std::vector<Outgoing> collect(std::vector<Answer> answers) {
  std::vector<Outgoing> outgoing;
  outgoing.reserve(answers.size());
  for (Answer& answer : answers) {
    outgoing.push_back(std::move(answer.reply));
    if (answer.dead_letter) {
      outgoing.push_back(std::move(*answer.dead_letter));
    }
  }
  return outgoing;
}

Tally count(std::span<const Answer> answers) {
  Tally tally;
  for (const Answer& answer : answers) {
    ++(answer.replayed ? tally.replays
                       : tally.decided.at(static_cast<std::size_t>(answer.outcome)));
  }
  return tally;
}

std::vector<Observer::TimePoint> times(std::span<const amqp::Delivery> deliveries) {
  std::vector<Observer::TimePoint> received;
  received.reserve(deliveries.size());
  std::ranges::transform(deliveries, std::back_inserter(received), &amqp::Delivery::received_at);
  return received;
}

}  // namespace

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
      settler_(
          {.queue = options_.queue, .seed = options_.seed}, pause_, clock,
          [this] { update_status(); }, observer),
      reconnects_(clock),
      outages_(clock) {}

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
  // They end together: the first stage tells the second through the pipe, the second tells the
  // first by abandoning the link.
  co_await (decide_stage(pipe, why) && reply_stage(pipe, why));
  co_await link_->close();
  link_.reset();
  outage_.reset();
  blocked_.reset();
  observer_.disconnected();
  if (clock_.steady_now() - since > kReconnectLast) {
    reconnect_backoff_.reset();  // it worked, though perhaps nobody asked anything
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
  auto link = co_await broker_.open([this](const auto& reason) { on_blocked(reason); });
  if (!link) {
    co_return Status{Condition::broker_unavailable,
                     fmt::format("the broker is not ready: {}", link.error().what)};
  }
  link_ = std::move(*link);
  if (pause_.is_stopping()) {
    link_->stop_receiving();
  }
  co_return std::nullopt;
}

Task<void> Flow::decide_stage(Pipe& pipe, Status& why) {
  boost::system::error_code error;
  while (!error) {
    auto deliveries = co_await link_->receive(options_.batch_max);
    if (!deliveries) {
      if (why.reason.empty()) {
        why = {Condition::broker_unavailable,
               fmt::format("no more requests from the broker: {}", deliveries.error().what)};
      }
      break;
    }
    observer_.received(deliveries->size());
    const auto since = clock_.steady_now();
    auto answers = co_await decide(*deliveries, why);
    if (!answers) {
      break;
    }
    const Tally tally = count(*answers);
    observer_.decided(tally, clock_.steady_now() - since);
    Batch batch{deliveries->back().delivery_tag, times(*deliveries), tally,
                collect(std::move(*answers))};
    co_await pipe.async_send({}, std::move(batch), redirect_error(use_awaitable, error));
  }
  co_await pipe.async_send({}, std::nullopt, redirect_error(use_awaitable, error));
}

Task<void> Flow::reply_stage(Pipe& pipe, Status& why) {
  for (;;) {
    auto batch = co_await pipe.async_receive(use_awaitable);
    if (!batch) {
      co_return;
    }
    const auto since = clock_.steady_now();
    if (auto failure = co_await settler_.settle(*link_, std::move(batch->outgoing))) {
      why = {Condition::broker_unavailable, std::move(*failure)};
      if (settler_.has_learnt()) {
        reconnect_backoff_.reset();
      }
      break;
    }
    link_->acknowledge_up_to(batch->last_delivery_tag);
    const auto now = clock_.steady_now();
    observer_.settled(now - since);
    observer_.acknowledged(batch->tally, batch->delivered, now);
    reconnect_backoff_.reset();
  }
  link_->abandon();
  pipe.cancel();
  pipe.close();
}

// Repeats the batch until it is decided. Nothing if it cannot be, for now: then nothing of it may
// be acknowledged.
Task<std::optional<std::vector<Answer>>> Flow::decide(std::span<const amqp::Delivery> deliveries,
                                                      Status& why) {
  Backoff conflict_backoff(kConflictFirst, kOutageLast, options_.seed);
  Backoff outage_backoff(kOutageFirst, kOutageLast, options_.seed);
  const auto since = clock_.steady_now();
  bool failed = false;
  int stopping_conflicts = 0;
  for (;;) {
    auto answers = co_await handler_.answer(deliveries);
    if (answers) {
      if (failed) {
        spdlog::info("{}: the database decides again", options_.queue);
        outages_.reset();
        set_outage({});
      }
      patience_ = options_.pause_after;
      co_return std::move(*answers);
    }
    const store::Error& error = answers.error();
    const bool may_pass_at_once = error.fault == store::Fault::retryable;
    if (pause_.is_stopping() &&
        (!may_pass_at_once || ++stopping_conflicts > kStoppingConflictsMax)) {
      why = {Condition::stopping, fmt::format("stopping while the database fails: {}", error.what)};
      co_return std::nullopt;
    }
    if (clock_.steady_now() - since >= patience_) {
      // A full disk, for one, shows only when something is written. To begin again in vain costs
      // each request a redelivery, so the next time it is tried for longer.
      patience_ = std::min(2 * patience_, std::max(kPatienceMax, options_.pause_after));
      why = {Condition::paused,
             fmt::format("paused, {} requests given back: {}", deliveries.size(), error.what)};
      co_return std::nullopt;
    }
    observer_.retried(error.fault);
    if (may_pass_at_once && clock_.steady_now() - since < kConflictsMax) {
      spdlog::debug("{}: repeating a batch: {}", options_.queue, error.what);
      co_await pause_.wait(conflict_backoff.next());
      continue;
    }
    const milliseconds pause = outage_backoff.next();
    outages_.warn("database",
                  fmt::format("{}: {} requests wait for the database: {}; trying again in {} ms",
                              options_.queue, deliveries.size(), error.what, pause.count()));
    failed = true;
    set_outage(fmt::format("{} requests wait for the database: {}", deliveries.size(), error.what));
    co_await pause_.wait(pause);
  }
}

void Flow::set_session(Status session) {
  session_ = std::move(session);
  update_status();
}

void Flow::set_outage(std::optional<std::string> outage) {
  outage_ = std::move(outage);
  update_status();
}

// The broker blocks and unblocks publishers; the link keeps what it has, and goes on by itself.
void Flow::on_blocked(const std::optional<std::string>& reason) {
  if (reason && !blocked_) {
    spdlog::warn(
        "{}: the broker takes no messages: {}; answers wait, nothing is lost: free memory or disk "
        "at the broker, and they go out",
        options_.queue, *reason);
  } else if (!reason && blocked_) {
    spdlog::info("{}: the broker takes messages again", options_.queue);
  }
  blocked_ = reason;
  observer_.blocked(blocked_.has_value());
  update_status();
}

void Flow::update_status() {
  Status status = session_;
  if (pause_.is_stopping() && session_.condition != Condition::stopped) {
    status = {Condition::stopping, "stopping: finishing what is in hand"};
  } else if (session_.condition == Condition::consuming) {
    if (outage_) {
      status = {Condition::database_unavailable, *outage_};
    } else if (blocked_) {
      status = {Condition::blocked, fmt::format("the broker takes no messages: {}", *blocked_)};
    } else if (const auto& rejection = settler_.rejection()) {
      status = {Condition::rejected, *rejection};
    }
  }
  if (status_ != status) {
    status_ = std::move(status);
    on_change_();
  }
}

}  // namespace inventory::service
