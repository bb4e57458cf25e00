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
constexpr int kPublishTries = 5;
constexpr int kStoppingConflictsMax = 5;

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

}  // namespace

Flow::Flow(boost::asio::any_io_executor executor, FlowOptions options, Broker& broker,
           Handler& handler, store::Store& store, Clock& clock, std::function<void()> on_change)
    : executor_(executor),
      options_(std::move(options)),
      broker_(broker),
      handler_(handler),
      store_(store),
      clock_(clock),
      on_change_(std::move(on_change)),
      reconnect_backoff_(kReconnectFirst, kReconnectLast, options_.seed),
      stop_event_(executor, boost::asio::steady_timer::time_point::max()) {}

Task<void> Flow::run() {
  while (!stopping_) {
    std::string why = co_await run_once();
    if (stopping_) {
      break;
    }
    const milliseconds pause = reconnect_backoff_.next();
    spdlog::warn("{}: {}; trying again in {} ms", options_.queue, why, pause.count());
    set_status(std::move(why));
    co_await wait(pause);
  }
  set_status("stopped");
}

void Flow::stop() {
  stopping_ = true;
  stop_event_.expires_at(boost::asio::steady_timer::time_point::min());
  if (link_) {
    link_->stop_receiving();
  }
}

// One session: opens, pumps until something ends it, closes. Returns why it ended.
Task<std::string> Flow::run_once() {
  if (auto ready = co_await store_.ready(); !ready) {
    co_return fmt::format("the database is not ready: {}", ready.error().what);
  }
  if (stopping_) {
    co_return "stopping";
  }
  auto link = co_await broker_.open();
  if (!link) {
    co_return fmt::format("the broker is not ready: {}", link.error().what);
  }
  if (stopping_) {
    co_return "stopping";
  }
  link_ = std::move(*link);
  spdlog::info("{}: taking requests", options_.queue);
  set_status("");
  Pipe pipe(executor_, 1);
  std::string why;
  // They end together: the first stage tells the second through the pipe, the second tells the
  // first by abandoning the link.
  co_await (decide_stage(pipe, why) && reply_stage(pipe, why));
  co_await link_->close();
  link_.reset();
  co_return why;
}

Task<void> Flow::decide_stage(Pipe& pipe, std::string& why) {
  boost::system::error_code error;
  while (!error) {
    auto deliveries = co_await link_->receive(options_.batch_max);
    if (!deliveries) {
      if (why.empty()) {
        why = fmt::format("no more requests from the broker: {}", deliveries.error().what);
      }
      break;
    }
    auto answers = co_await decide(*deliveries, why);
    if (!answers) {
      break;
    }
    Batch batch{deliveries->back().delivery_tag, collect(std::move(*answers))};
    co_await pipe.async_send({}, std::move(batch), redirect_error(use_awaitable, error));
  }
  co_await pipe.async_send({}, std::nullopt, redirect_error(use_awaitable, error));
}

Task<void> Flow::reply_stage(Pipe& pipe, std::string& why) {
  for (;;) {
    auto batch = co_await pipe.async_receive(use_awaitable);
    if (!batch) {
      co_return;
    }
    if (auto failure = co_await settle(std::move(batch->outgoing))) {
      why = std::move(*failure);
      break;
    }
    link_->acknowledge_up_to(batch->last_delivery_tag);
    reconnect_backoff_.reset();
  }
  link_->abandon();
  pipe.cancel();
  pipe.close();
}

// Repeats the batch until it is decided. Nothing if it cannot be, for now: then nothing of it may
// be acknowledged.
Task<std::optional<std::vector<Answer>>> Flow::decide(std::span<const amqp::Delivery> deliveries,
                                                      std::string& why) {
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
        set_status("");
      }
      co_return std::move(*answers);
    }
    const store::Error& error = answers.error();
    const bool may_pass_at_once = error.fault == store::Fault::retryable;
    if (stopping_ && (!may_pass_at_once || ++stopping_conflicts > kStoppingConflictsMax)) {
      why = fmt::format("stopping while the database fails: {}", error.what);
      co_return std::nullopt;
    }
    if (clock_.steady_now() - since >= options_.pause_after) {
      why = fmt::format("paused, {} requests given back: {}", deliveries.size(), error.what);
      co_return std::nullopt;
    }
    if (may_pass_at_once) {
      spdlog::debug("{}: repeating a batch: {}", options_.queue, error.what);
      co_await wait(conflict_backoff.next());
      continue;
    }
    const milliseconds pause = outage_backoff.next();
    spdlog::warn("{}: {} requests wait for the database: {}; trying again in {} ms", options_.queue,
                 deliveries.size(), error.what, pause.count());
    failed = true;
    set_status(fmt::format("waiting for the database: {}", error.what));
    co_await wait(pause);
  }
}

// Publishes until every message is settled. Returns why that is not possible on this link_->
Task<std::optional<std::string>> Flow::settle(std::vector<Outgoing> outgoing) {
  Backoff backoff(kOutageFirst, kOutageLast, options_.seed);
  for (int attempt = 1; !outgoing.empty(); ++attempt) {
    std::vector<amqp::Message> messages;
    messages.reserve(outgoing.size());
    std::ranges::transform(outgoing, std::back_inserter(messages),
                           [](Outgoing& one) { return std::move(one.message); });
    auto settlements = co_await link_->publish(messages);
    if (!settlements) {
      co_return fmt::format("answers were not confirmed: {}", settlements.error().what);
    }
    std::vector<Outgoing> rejected;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      switch ((*settlements)[i]) {
        case amqp::Settlement::confirmed:
          break;
        case amqp::Settlement::returned:
          if (outgoing[i].must_arrive) {
            co_return fmt::format("queue {} is gone", messages[i].routing_key);
          }
          spdlog::debug("{}: reply queue {} is gone", options_.queue, messages[i].routing_key);
          break;
        case amqp::Settlement::too_large:
          co_return fmt::format("a message for queue {} does not fit in a frame",
                                messages[i].routing_key);
        case amqp::Settlement::rejected:
          rejected.push_back({std::move(messages[i]), outgoing[i].must_arrive});
          break;
      }
    }
    outgoing = std::move(rejected);
    if (outgoing.empty()) {
      break;
    }
    if (attempt == kPublishTries) {
      co_return fmt::format("the broker rejects {} answers, the first for queue {}",
                            outgoing.size(), outgoing.front().message.routing_key);
    }
    const milliseconds pause = backoff.next();
    spdlog::warn("{}: the broker rejected {} answers, the first for queue {}; again in {} ms",
                 options_.queue, outgoing.size(), outgoing.front().message.routing_key,
                 pause.count());
    co_await wait(pause);
  }
  co_return std::nullopt;
}

// Waits, but not longer than until stop().
Task<void> Flow::wait(milliseconds duration) {
  if (stopping_) {
    co_return;
  }
  boost::system::error_code cancelled;
  co_await (clock_.sleep(duration) ||
            stop_event_.async_wait(redirect_error(use_awaitable, cancelled)));
}

void Flow::set_status(std::string status) {
  if (status_ != status) {
    status_ = std::move(status);
    on_change_();
  }
}

}  // namespace inventory::service
