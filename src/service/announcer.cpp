#include "service/announcer.h"

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace inventory::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kUnderWayMax = 200;
constexpr milliseconds kTryAgainFirst{100};
constexpr milliseconds kTryAgainLast{5'000};
constexpr seconds kUnansweredTold{2};  // in logs and probes
constexpr seconds kUnansweredMax{30};  // then it is published again

amqp::Message message_of(contract::Event event, const std::string& exchange) {
  amqp::Message message;
  message.exchange = exchange;
  message.routing_key = contract::routing_key(event.topic);
  message.mandatory = false;  // there may be no subscriber
  message.properties.content_type = contract::kEventContentType;
  message.properties.delivery_mode = 2;
  message.properties.app_id = "inventory-service";
  message.properties.message_id = std::move(event.id);
  message.body = std::move(event.body);
  return message;
}

}  // namespace

Announcer::Announcer(const boost::asio::any_io_executor& executor, AnnouncerOptions options,
                     Clock& clock, Events events)
    : executor_(executor),
      options_(std::move(options)),
      clock_(clock),
      events_(std::move(events)),
      backoff_(kTryAgainFirst, kTryAgainLast, options_.seed),
      log_(clock),
      wake_(executor, clock),
      ended_(executor, clock) {}

void Announcer::add(contract::Event event, std::uint64_t request) {
  const Token token = next_token_++;
  const contract::Topic topic = event.topic;
  parcels_.emplace(token, Parcel{.topic = topic,
                                 .request = request,
                                 .message = message_of(std::move(event), options_.exchange)});
  waiting_.push_back(token);
  kick();
}

void Announcer::kick() {
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

Task<void> Announcer::run() {
  // In a later turn: an immediate answer must not change what the caller iterates over.
  co_await boost::asio::post(executor_, boost::asio::use_awaitable);
  while (!is_ending_ && !parcels_.empty()) {
    if (const auto lost = std::exchange(lost_, std::nullopt)) drop_outlet(*lost);
    const auto now = clock_.steady_now();
    if (waiting_.empty() || !has_room()) {
      co_await wake_.wait(std::nullopt);
    } else if (next_try_ > now) {
      co_await wake_.wait(std::chrono::ceil<milliseconds>(next_try_ - now));
    } else if (!outlet_) {
      co_await open();
    } else {
      co_await send();
    }
  }
}

bool Announcer::has_room() const { return under_way_ < (is_careful_ ? 1 : kUnderWayMax); }

Task<void> Announcer::open() {
  auto opened = co_await link_->open_outlet(
      Link::Connection::own,
      {.on_settled = [this](Token token,
                            amqp::Settlement settlement) { on_answer(token, settlement); },
       .on_lost = [this](const amqp::Error& error) { on_lost(error); },
       .on_blocked = [this](const auto& reason) { on_blocked(reason); }});
  if (!opened) {
    be_careful(opened.error().what);
    co_return;
  }
  std::unique_ptr<Outlet> outlet = std::move(*opened);
  if (auto declared = co_await outlet->ensure_exchange(options_.exchange); !declared) {
    outlet.reset();
    lost_.reset();
    be_careful(declared.error().what);
    co_return;
  }
  outlet_ = std::move(outlet);
}

Task<void> Announcer::send() {
  std::vector<Token> tokens;
  while (!waiting_.empty() && has_room()) {
    const Token token = waiting_.front();
    waiting_.pop_front();
    Parcel& parcel = parcels_.at(token);
    parcel.is_under_way = true;
    parcel.sent_at = clock_.steady_now();
    ++under_way_;
    tokens.push_back(token);
  }
  if (is_careful_) probe_ = tokens.back();
  const amqp::FindMessage find = [this](Token token) -> const amqp::Message* {
    const auto parcel = parcels_.find(token);
    return parcel != parcels_.end() && parcel->second.is_under_way ? &parcel->second.message
                                                                   : nullptr;
  };
  const auto sent = co_await outlet_->send(tokens, find);
  if (!sent) on_lost(sent.error());
}

void Announcer::on_answer(Token token, amqp::Settlement settlement) {
  const auto found = parcels_.find(token);
  if (found == parcels_.end() || !found->second.is_under_way) return;
  wake_.notify();
  if (settlement == amqp::Settlement::rejected || settlement == amqp::Settlement::too_large) {
    put_back(token, found->second);
    be_careful("a queue that is bound to it rejects events; make room there");
    return;
  }
  --under_way_;
  const contract::Topic topic = found->second.topic;
  const std::uint64_t request = found->second.request;
  parcels_.erase(found);
  if (is_careful_ && token == probe_) {
    is_careful_ = false;
    backoff_.reset();
    next_try_ = {};
  }
  events_.on_settled(topic, request);
  if (parcels_.empty()) set_trouble(std::nullopt);
}

void Announcer::put_back(Token token, Parcel& parcel) {
  parcel.is_under_way = false;
  --under_way_;
  waiting_.insert(std::ranges::lower_bound(waiting_, token), token);
}

void Announcer::on_lost(amqp::Error error) {
  if (!lost_) lost_ = std::move(error);
  on_blocked(std::nullopt);  // it may have gone before it could report the end of the alarm
  wake_.notify();
}

void Announcer::drop_outlet(const amqp::Error& error) {
  outlet_.reset();
  on_blocked(std::nullopt);
  if (under_way_ == 0) return;  // nothing waits for it: it may have been closed long ago
  for (auto& [token, parcel] : parcels_) {
    if (parcel.is_under_way) put_back(token, parcel);
  }
  be_careful(error.what);
}

void Announcer::be_careful(std::string_view why) {
  const auto now = clock_.steady_now();
  if (!is_careful_ || next_try_ <= now) next_try_ = now + backoff_.next();
  is_careful_ = true;
  auto text = fmt::format("exchange {}: {}", options_.exchange, why);
  log_.warn(text, fmt::format("{}: {}; {} events wait, with their requests", options_.queue, text,
                              parcels_.size()));
  set_trouble(std::move(text));
}

void Announcer::on_blocked(const std::optional<std::string>& reason) {
  if (blocked_ == reason) return;
  blocked_ = reason;
  // Answers can come from now on.
  for (auto& [_, parcel] : parcels_) parcel.sent_at = clock_.steady_now();
  events_.on_change();
}

void Announcer::look() {
  if (!outlet_ || blocked_ || lost_) return;
  const auto now = clock_.steady_now();
  TimePoint oldest = now;
  for (const auto& [_, parcel] : parcels_) {
    if (parcel.is_under_way) oldest = std::min(oldest, parcel.sent_at);
  }
  if (now - oldest >= kUnansweredMax) {
    outlet_->stop_sending();
    on_lost(
        {.fault = amqp::Fault::link_lost, .what = "a queue that is bound to it does not answer"});
  } else if (now - oldest >= kUnansweredTold) {
    auto text = fmt::format(
        "exchange {}: a queue that is bound to it does not answer; see whether "
        "it has a leader",
        options_.exchange);
    log_.warn(text, fmt::format("{}: {}; {} events wait, with their requests", options_.queue, text,
                                parcels_.size()));
    set_trouble(std::move(text));
  } else if (!is_careful_) {
    set_trouble(std::nullopt);
  }
}

void Announcer::set_trouble(std::optional<std::string> trouble) {
  if (trouble_ == trouble) return;
  if (!trouble) log_.reset();
  trouble_ = std::move(trouble);
  events_.on_change();
}

Task<void> Announcer::end(bool in_order) {
  is_ending_ = true;
  if (outlet_) outlet_->stop_sending();
  wake_.notify();
  while (is_running_) co_await ended_.wait(std::nullopt);
  // On a connection that the broker does not read, closing gracefully would wait in vain.
  if (in_order && outlet_ && !lost_ && under_way_ == 0) co_await outlet_->close();
  outlet_.reset();
  parcels_.clear();
  waiting_.clear();
  under_way_ = 0;
  lost_.reset();
  is_careful_ = false;
  next_try_ = {};
  backoff_.reset();
  blocked_.reset();
  set_trouble(std::nullopt);
  is_ending_ = false;
}

}  // namespace inventory::service
