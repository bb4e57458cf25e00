#include "service/flow.h"

#include <algorithm>
#include <array>
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
constexpr int kPublishTries = 5;  // of a reply that a client's own queue rejects
constexpr int kSuspicions = 2;    // after which answers to an address are given up
constexpr std::size_t kSuspectsMax = 1000;
constexpr int kStoppingConflictsMax = 5;

// Whether the broker has closed channel or connection because of what a message holds (AMQP 0-9-1,
// 1.2). RabbitMQ 3.10 answers a reply to some malformed direct reply-to addresses with 541.
bool blames_a_message(const amqp::Error& error) {
  constexpr std::array<std::uint16_t, 6> kCodes{406, 501, 502, 503, 505, 541};
  return std::ranges::find(kCodes, error.reply_code) != kCodes.end();
}

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

Flow::Flow(const boost::asio::any_io_executor& executor, FlowOptions options, Broker& broker,
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
  const auto since = clock_.steady_now();
  Pipe pipe(executor_, 1);
  std::string why;
  // They end together: the first stage tells the second through the pipe, the second tells the
  // first by abandoning the link.
  co_await (decide_stage(pipe, why) && reply_stage(pipe, why));
  co_await link_->close();
  link_.reset();
  if (clock_.steady_now() - since > kReconnectLast) {
    reconnect_backoff_.reset();  // it worked, though perhaps nobody asked anything
  }
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

// Publishes until every message is settled. Returns why that is not possible on this link.
Task<std::optional<std::string>> Flow::settle(std::vector<Outgoing> outgoing) {
  std::erase_if(outgoing, [this](const Outgoing& one) {
    const auto suspect = suspects_.find(one.message.routing_key);
    return suspect != suspects_.end() && suspect->second >= kSuspicions && !one.must_arrive;
  });
  Backoff backoff(kOutageFirst, kOutageLast, options_.seed);
  bool was_rejected = false;
  for (int attempt = 1; !outgoing.empty(); ++attempt) {
    std::vector<amqp::Message> messages;
    messages.reserve(outgoing.size());
    std::ranges::transform(outgoing, std::back_inserter(messages),
                           [](Outgoing& one) { return std::move(one.message); });
    auto settlements = co_await publish(messages);
    if (!settlements) {
      co_return fmt::format("answers were not confirmed: {}", settlements.error().what);
    }
    std::vector<Outgoing> rejected;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const bool must_arrive = outgoing[i].must_arrive;
      const std::string& queue = messages[i].routing_key;
      switch ((*settlements)[i]) {
        case amqp::Settlement::confirmed:
          break;
        case amqp::Settlement::returned:
          if (must_arrive) {
            co_return fmt::format("queue {} is gone", queue);
          }
          spdlog::debug("{}: reply queue {} is gone", options_.queue, queue);
          break;
        case amqp::Settlement::too_large:
          co_return fmt::format("a message for queue {} does not fit in a frame", queue);
        case amqp::Settlement::rejected:
          if (!must_arrive && attempt >= kPublishTries) {
            spdlog::error("{}: reply queue {} keeps rejecting: a reply is given up", options_.queue,
                          queue);
          } else {
            rejected.push_back({std::move(messages[i]), must_arrive});
          }
          break;
      }
    }
    outgoing = std::move(rejected);
    if (outgoing.empty()) {
      break;
    }
    const std::string& queue = outgoing.front().message.routing_key;
    if (stopping_ && attempt >= kPublishTries) {
      co_return fmt::format("stopping while queue {} rejects messages", queue);
    }
    const milliseconds pause = backoff.next();
    spdlog::warn("{}: the broker rejected {} answers, the first for queue {}; again in {} ms",
                 options_.queue, outgoing.size(), queue, pause.count());
    was_rejected = true;
    set_status(fmt::format("queue {} rejects messages", queue));
    co_await wait(pause);
  }
  if (was_rejected) {
    set_status("");
  }
  co_return std::nullopt;
}

// Publishes all at once; or one by one, after the broker has closed the connection because of one
// of them, to find which. One client's malformed address must not stop everybody's answers.
Task<amqp::Result<std::vector<amqp::Settlement>>> Flow::publish(
    std::span<const amqp::Message> messages) {
  if (!one_by_one_) {
    auto settlements = co_await link_->publish(messages);
    one_by_one_ = !settlements && blames_a_message(settlements.error());
    co_return settlements;
  }
  std::vector<amqp::Settlement> settlements;
  for (const amqp::Message& message : messages) {
    auto settled = co_await link_->publish(std::span(&message, 1));
    if (!settled) {
      if (blames_a_message(settled.error())) {
        spdlog::error("{}: the broker closes the connection on an answer to {}: {}", options_.queue,
                      message.routing_key, settled.error().what);
        if (suspects_.size() >= kSuspectsMax) {
          suspects_.clear();
        }
        ++suspects_[message.routing_key];
      }
      co_return std::unexpected(std::move(settled.error()));
    }
    settlements.push_back(settled->front());
  }
  one_by_one_ = false;
  co_return settlements;
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
