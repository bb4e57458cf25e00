#include "router/lane.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace inventory::router {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// If a channel is stuck, RabbitMQ takes 400 more messages for it and then stops reading the
// connection.
constexpr std::size_t kUnderWayMax = 100;
constexpr milliseconds kTryAgainFirst{100};
constexpr milliseconds kTryAgainLast{5'000};
constexpr seconds kUnansweredTold{2};
constexpr seconds kRecoveryTold{2};  // a full queue takes and rejects by turns
constexpr seconds kAskAgainFirst{10};
constexpr seconds kAskAgainLast{120};
constexpr seconds kRejectingFor{5};
constexpr seconds kInOrderAfter{60};
constexpr int kStrikesMax = 5;

const amqp::Error kSessionOver{.fault = amqp::Fault::stopping, .what = "the session is over"};
const amqp::Error kTooLarge{
    .fault = amqp::Fault::refused, .what = "it does not fit in a frame", .reply_code = 501};

}  // namespace

Task<amqp::Result<std::unique_ptr<service::Outlet>>> Outlets::open(service::OutletEvents events) {
  const auto turn = co_await turns_.take();
  if (link_ == nullptr) co_return std::unexpected(kSessionOver);
  co_return co_await link_->open_outlet(service::Link::Connection::shared, std::move(events));
}

Task<amqp::Result<void>> Outlets::declare(std::string queue) {
  if (link_ == nullptr) co_return std::unexpected(kSessionOver);
  auto outlet = co_await link_->open_outlet(service::Link::Connection::own,
                                            {.on_settled = [](auto, auto) {},
                                             .on_lost = [](const auto&) {},
                                             .on_blocked = [](const auto&) {}});
  if (!outlet) co_return std::unexpected(std::move(outlet.error()));
  co_return co_await (*outlet)->ensure_queue(std::move(queue));
}

Lane::Lane(const boost::asio::any_io_executor& executor, LaneOptions options, Outlets& outlets,
           service::Clock& clock, Events events)
    : executor_(executor),
      options_(std::move(options)),
      outlets_(outlets),
      clock_(clock),
      events_(std::move(events)),
      backoff_(kTryAgainFirst, kTryAgainLast, options_.seed),
      ask_after_(kAskAgainFirst),
      window_(kUnderWayMax),
      must_declare_(options_.may_be_new),
      log_(clock),
      wake_(executor, clock),
      ended_(executor, clock) {}

void Lane::add(Parcel parcel) {
  const Token token = next_token_++;
  parcel.message.routing_key = options_.queue;
  parcels_.emplace(token, UnderWay{.parcel = std::move(parcel)});
  waiting_.push_back(token);
  kick();
}

std::deque<Parcel> Lane::take_all() {
  std::deque<Parcel> all;
  for (auto& [_, one] : parcels_) all.push_back(std::move(one.parcel));
  if (under_way_ > 0) on_lost({.fault = amqp::Fault::stopping, .what = "taken elsewhere"});
  parcels_.clear();
  waiting_.clear();
  under_way_ = 0;
  alone_ = 0;
  wake_.notify();
  return all;
}

bool Lane::is_rejecting() const {
  return last_rejection_ && clock_.steady_now() - *last_rejection_ < kRejectingFor;
}

std::optional<Lane::TimePoint> Lane::unanswered_since() const {
  std::optional<TimePoint> since;
  for (const auto& [_, one] : parcels_) {
    if (one.is_under_way) since = std::min(since.value_or(one.sent_at), one.sent_at);
  }
  if (since) since = std::max(*since, last_answer_);
  return since;
}

void Lane::kick() {
  wake_.notify();
  if (is_running_ || is_ending_) return;
  is_running_ = true;
  boost::asio::co_spawn(executor_, run(), [this](const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);  // a bug
    is_running_ = false;
    ended_.notify();
    if (!parcels_.empty()) kick();  // added in the turn in which it ended
  });
}

Task<void> Lane::run() {
  // In a later turn: an immediate answer must not change what the caller iterates over.
  co_await boost::asio::post(executor_, boost::asio::use_awaitable);
  while (!is_ending_ && !parcels_.empty()) {
    if (const auto lost = std::exchange(lost_, std::nullopt)) drop_outlet(*lost);
    const auto now = clock_.steady_now();
    const bool can_send =
        !waiting_.empty() && has_room() && may_go(parcels_.at(waiting_.front()).parcel);
    if (!can_send) {
      co_await wake_.wait(std::nullopt);
    } else if (next_try_ > now) {
      co_await wake_.wait(std::chrono::ceil<milliseconds>(next_try_ - now));
    } else if (must_declare_) {
      co_await declare();
    } else if (!outlet_) {
      co_await open();
    } else {
      co_await send();
    }
  }
}

bool Lane::has_room() const { return under_way_ < (alone_ > 0 ? 1 : window_); }

// Whether it can be sent now without breaking the order.
bool Lane::may_go(const Parcel& parcel) const {
  if (clock_.steady_now() >= in_order_until_) return true;
  return std::ranges::none_of(parcels_, [&](const auto& entry) {
    const UnderWay& one = entry.second;
    return one.is_under_way && std::ranges::find_first_of(one.parcel.products, parcel.products) !=
                                   one.parcel.products.end();
  });
}

Task<void> Lane::declare() {
  const auto declared = co_await outlets_.declare(options_.queue);
  if (declared) {
    must_declare_ = false;
  } else {
    be_careful(declared.error().what);
  }
}

Task<void> Lane::open() {
  auto opened = co_await outlets_.open(
      {.on_settled = [this](Token token,
                            amqp::Settlement settlement) { on_answer(token, settlement); },
       .on_lost = [this](const amqp::Error& error) { on_lost(error); },
       .on_blocked = [this](const auto& reason) { on_blocked(reason); }});
  if (opened) {
    outlet_ = std::move(*opened);
  } else {
    be_careful(opened.error().what);
  }
}

Task<void> Lane::send() {
  std::vector<Token> tokens;
  while (!waiting_.empty() && has_room()) {
    const Token token = waiting_.front();
    UnderWay& one = parcels_.at(token);
    if (!may_go(one.parcel)) break;
    waiting_.pop_front();
    one.is_under_way = true;
    one.sent_at = clock_.steady_now();
    ++under_way_;
    tokens.push_back(token);
  }
  const amqp::FindMessage find = [this](Token token) -> const amqp::Message* {
    const auto one = parcels_.find(token);
    return one != parcels_.end() && one->second.is_under_way ? &one->second.parcel.message
                                                             : nullptr;
  };
  const auto sent = co_await outlet_->send(tokens, find);
  if (!sent) on_lost(sent.error());
}

void Lane::on_answer(Token token, amqp::Settlement settlement) {
  const auto found = parcels_.find(token);
  if (found == parcels_.end() || !found->second.is_under_way) return;
  wake_.notify();
  last_answer_ = clock_.steady_now();
  switch (settlement) {
    case amqp::Settlement::rejected:
      last_rejection_ = last_answer_;
      in_order_until_ = last_answer_ + kInOrderAfter;
      put_back(token, found->second);
      be_careful("rejects messages; make room there");
      return;
    case amqp::Settlement::returned:
      in_order_until_ = last_answer_ + kInOrderAfter;
      must_declare_ = true;
      put_back(token, found->second);
      be_careful("does not exist: it is declared");
      return;
    case amqp::Settlement::too_large:
      refuse(token, kTooLarge);
      return;
    case amqp::Settlement::confirmed:
      break;
  }
  --under_way_;
  Parcel parcel = std::move(found->second.parcel);
  parcels_.erase(found);
  window_ = std::min(window_ + 1, kUnderWayMax);
  if (alone_ > 0) --alone_;
  strikes_ = 0;
  next_try_ = {};
  backoff_.reset();
  ask_after_ = kAskAgainFirst;
  set_trouble(std::nullopt);
  events_.on_taken(std::move(parcel));
}

void Lane::put_back(Token token, UnderWay& one) {
  one.is_under_way = false;
  --under_way_;
  ++retries_;
  waiting_.insert(std::ranges::lower_bound(waiting_, token), token);
}

void Lane::refuse(Token token, const amqp::Error& why) {
  const auto found = parcels_.find(token);
  if (found->second.is_under_way) --under_way_;
  std::erase(waiting_, token);
  Parcel parcel = std::move(found->second.parcel);
  parcels_.erase(found);
  if (alone_ > 0) --alone_;
  strikes_ = 0;
  events_.on_refused(std::move(parcel), why);
}

void Lane::on_lost(amqp::Error error) {
  if (!lost_) lost_ = std::move(error);
  on_blocked(std::nullopt);  // it may have gone before it could report the end of the alarm
  wake_.notify();
}

void Lane::drop_outlet(const amqp::Error& error) {
  outlet_.reset();
  on_blocked(std::nullopt);
  if (under_way_ == 0) return;  // nothing waits for it: it may have been closed long ago
  const bool was_alone = under_way_ == 1;
  if (amqp::blames_a_message(error)) alone_ = std::max(alone_, under_way_);
  for (auto& [token, one] : parcels_) {
    if (one.is_under_way) put_back(token, one);
  }
  if (amqp::blames_a_message(error) && was_alone && ++strikes_ >= kStrikesMax) {
    refuse(waiting_.front(), error);
  }
  be_careful(error.what);
}

void Lane::be_careful(std::string_view why) {
  const auto now = clock_.steady_now();
  if (next_try_ <= now) next_try_ = now + backoff_.next();
  window_ = 1;
  tell_trouble(fmt::format("queue {}: {}", options_.queue, why));
}

void Lane::tell_trouble(std::string text) {
  log_.warn(text, fmt::format("{}: {}; {} messages wait, those for other queues pass",
                              options_.source, text, parcels_.size()));
  set_trouble(std::move(text));
}

void Lane::on_blocked(const std::optional<std::string>& reason) {
  if (blocked_ == reason) return;
  blocked_ = reason;
  // Answers can come from now on.
  for (auto& [_, one] : parcels_) one.sent_at = clock_.steady_now();
  events_.on_change();
}

void Lane::look() {
  if (!outlet_ || blocked_ || lost_) return;
  const auto since = unanswered_since();
  if (!since) return;
  const auto now = clock_.steady_now();
  if (now - *since >= ask_after_) {
    ask_after_ = std::min(2 * ask_after_, kAskAgainLast);
    outlet_->stop_sending();
    on_lost(
        {.fault = amqp::Fault::link_lost, .what = "does not answer; see whether it has a leader"});
  } else if (now - *since >= kUnansweredTold) {
    tell_trouble(
        fmt::format("queue {}: does not answer; see whether it has a leader", options_.queue));
  }
}

void Lane::set_trouble(std::optional<std::string> trouble) {
  if (trouble_ == trouble) return;
  const auto now = clock_.steady_now();
  if (trouble && !trouble_) trouble_since_ = now;
  if (!trouble && now - trouble_since_ >= kRecoveryTold) {
    spdlog::info("{}: queue {} takes messages again", options_.source, options_.queue);
  }
  trouble_ = std::move(trouble);
  events_.on_change();
}

Task<void> Lane::end() {
  is_ending_ = true;
  if (outlet_) outlet_->stop_sending();
  wake_.notify();
  while (is_running_) co_await ended_.wait(std::nullopt);
  outlet_.reset();
  parcels_.clear();
  waiting_.clear();
  under_way_ = 0;
  alone_ = 0;
  strikes_ = 0;
  lost_.reset();
  window_ = kUnderWayMax;
  next_try_ = {};
  backoff_.reset();
  ask_after_ = kAskAgainFirst;
  blocked_.reset();
  trouble_.reset();
  log_.reset();
  must_declare_ = options_.may_be_new;
  is_ending_ = false;
}

}  // namespace inventory::router
