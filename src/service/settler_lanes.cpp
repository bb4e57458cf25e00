#include "service/settler.h"

// The settler's connections: what goes over which, what happens when one is lost or no longer read,
// and which message makes the broker close a connection.

#include <algorithm>
#include <cassert>
#include <exception>
#include <iterator>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace inventory::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kOpenAgain{1'000};
constexpr std::size_t kRetiredMax = 4;  // connections that only wait for answers
constexpr seconds kAskedMax{60};        // for an answer on a connection of no other use
// How often in a row the broker may close the connection on an answer that was published alone. The
// broker parses a direct reply-to address, but not the name of a queue, so something else may have
// closed the connection.
constexpr int kStrikesOfAQueue = 5;
constexpr std::uint16_t kPreconditionFailed = 406;

bool is_dead_letter(const Outgoing& outgoing) { return outgoing.message.keeps_properties; }

void rethrow(const std::exception_ptr& error) {
  if (error) std::rethrow_exception(error);
}

}  // namespace

Settler::Lane& Settler::open_lane(Purpose purpose) {
  Lane* const found = find_lane(purpose);
  if (found != nullptr) return *found;
  lanes_.push_back({.purpose = purpose});
  return lanes_.back();
}

Settler::Lane* Settler::find_lane(Purpose purpose) {
  const auto found = std::ranges::find_if(lanes_, [purpose](const Lane& lane) {
    return lane.purpose == purpose && !lane.is_retired && !lane.lost;
  });
  return found == lanes_.end() ? nullptr : &*found;
}

Task<bool> Settler::open(Lane& lane) {
  auto outlet = co_await link_->open_outlet(
      lane.purpose == Purpose::retries ? Link::Connection::shared : Link::Connection::own,
      {.on_settled = [this, &lane](
                         Token token,
                         amqp::Settlement settlement) { on_answer(lane, token, settlement); },
       .on_lost = [this, &lane](const amqp::Error& error) { on_lost(lane, error); },
       .on_blocked = [this, &lane](const auto& reason) { on_blocked(lane, reason); }});
  if (outlet) {
    lane.outlet = std::move(*outlet);
    lane.last_progress = clock_.steady_now();
    co_return true;
  }
  if (lane.purpose == Purpose::replies) {
    on_lost(lane, outlet.error());
    co_return false;
  }
  // The link still works; the broker may not allow so many connections.
  lane.next_open = clock_.steady_now() + kOpenAgain;
  rejections_.warn("connection", fmt::format("{}: no further connection to the broker: {}",
                                             options_.queue, outlet.error().what));
  if (lane.purpose == Purpose::unproven) {
    for (const Sending& sending : std::exchange(lane.outbox, {})) {
      Parcel* const parcel = find_under_way(lane, sending);
      if (parcel == nullptr) continue;
      parcel->lane = nullptr;
      send(sending.token, Purpose::replies);
    }
  }
  co_return false;
}

void Settler::kick(Lane& lane) {
  if (lane.is_sending || lane.outbox.empty() || lane.lost || is_ending_ ||
      lane.next_open > clock_.steady_now()) {
    return;
  }
  lane.is_sending = true;
  ++running_;
  boost::asio::co_spawn(executor_, pump_later(lane), [this](const std::exception_ptr& error) {
    rethrow(error);  // a bug
    --running_;
    settled_.notify();
  });
}

// In a later turn: an immediate answer must not change what the caller iterates over.
Task<void> Settler::pump_later(Lane& lane) {
  co_await boost::asio::post(executor_, boost::asio::use_awaitable);
  co_await pump(lane);
}

// Sends what is in the outbox, including what is added meanwhile.
Task<void> Settler::pump(Lane& lane) {
  lane.is_sending = true;
  while (!lane.outbox.empty() && !lane.is_retired && !lane.lost && !failure_ && !is_ending_) {
    if (!lane.outlet) {
      const bool is_open = co_await open(lane);
      if (!is_open) break;
      continue;
    }
    Tokens tokens;
    tokens.reserve(lane.outbox.size());
    const auto now = clock_.steady_now();
    if (lane.sent.empty()) lane.last_progress = now;
    for (const Sending& sending : std::exchange(lane.outbox, {})) {
      Parcel* const parcel = find_under_way(lane, sending);
      if (parcel == nullptr) continue;
      parcel->sent_at = now;
      lane.sent.push_back(sending);
      tokens.push_back(sending.token);
    }
    const amqp::FindMessage find = [this, &lane](Token token) -> const amqp::Message* {
      const auto parcel = parcels_.find(token);
      const bool is_here = parcel != parcels_.end() && parcel->second.lane == &lane;
      return is_here ? &parcel->second.outgoing.message : nullptr;
    };
    (void)co_await lane.outlet->send(tokens, find);  // on_lost() and retire() handle the rest
  }
  lane.is_sending = false;
  look_.notify();
}

void Settler::put_in_outbox(Token token, Lane& lane) {
  Parcel& parcel = parcels_.at(token);
  assert(parcel.lane == nullptr && !parcel.is_waiting);  // under way only once
  parcel.lane = &lane;
  parcel.place = ++lane.last_place;
  parcel.sent_at = clock_.steady_now();
  lane.outbox.push_back({token, parcel.place});
}

void Settler::try_again(Token token) {
  lanes_.push_back({.purpose = Purpose::retries});
  Lane& lane = lanes_.back();
  put_in_outbox(token, lane);
  kick(lane);
}

void Settler::send(Token token, Purpose purpose) {
  Lane& lane = open_lane(purpose);
  put_in_outbox(token, lane);
  if (purpose != Purpose::replies) {
    kick(lane);
  } else if (!is_admitting_) {  // settle() itself sends its batch
    look_.notify();
  }
}

Settler::Parcel* Settler::find_under_way(const Lane& lane, const Sending& sending) {
  const auto found = parcels_.find(sending.token);
  const bool is_here = found != parcels_.end() && found->second.lane == &lane &&
                       found->second.place == sending.place;
  return is_here ? &found->second : nullptr;
}

Settler::Tokens Settler::under_way(const Lane& lane) {
  Tokens tokens;
  for (const auto* sendings : {&lane.sent, &lane.outbox}) {
    for (const Sending& sending : *sendings) {
      if (find_under_way(lane, sending) != nullptr) tokens.push_back(sending.token);
    }
  }
  return tokens;
}

void Settler::on_lost(Lane& lane, const amqp::Error& error) {
  if (lane.lost) return;
  lane.lost = error;
  look_.notify();
  // A batch may be waiting for it, so it is handled at once; tend() may not run yet.
  if (lane.purpose == Purpose::replies && !lane.is_retired && !blames_a_message(error)) {
    fail(fmt::format("answers were not confirmed: {}", error.what));
  }
}

void Settler::on_blocked(Lane& lane, const std::optional<std::string>& reason) {
  lane.blocked = reason;
  lane.last_progress = clock_.steady_now();
  if (!reason) {  // answers can come from now on
    for (const Sending& sending : lane.sent) {
      if (Parcel* const parcel = find_under_way(lane, sending)) {
        parcel->sent_at = lane.last_progress;
      }
    }
  }
  update_blocked();
}

// A connection may have gone before it could report the end of the alarm.
void Settler::update_blocked() {
  const auto lane = std::ranges::find_if(
      lanes_, [](const Lane& one) { return one.blocked && !one.lost && !one.is_retired; });
  const std::optional<std::string> reason =
      lane == lanes_.end() ? announcer_.blocked() : lane->blocked;
  if (reason == blocked_) return;
  if (reason && !blocked_) {
    spdlog::warn(
        "{}: the broker takes no messages: {}; answers wait, nothing is lost: free memory or disk "
        "at the broker, and they go out",
        options_.queue, *reason);
  } else if (!reason) {
    spdlog::info("{}: the broker takes messages again", options_.queue);
  }
  blocked_ = reason;
  observer_.blocked(blocked_.has_value());
  events_.on_change();
  settled_.notify();
}

bool Settler::see_to_losses() {
  const auto lost =
      std::ranges::find_if(lanes_, [](const Lane& lane) { return lane.lost && !lane.is_sending; });
  if (lost == lanes_.end()) return false;
  see_to_loss(*lost);
  lanes_.erase(lost);
  return true;
}

void Settler::see_to_loss(Lane& lane) {
  const amqp::Error error = lane.lost.value_or(amqp::Error());
  Tokens tokens = under_way(lane);
  for (const Token token : tokens) parcels_.at(token).lane = nullptr;
  lane.outlet.reset();
  if (lane.is_retired || lane.purpose == Purpose::retries) {
    if (lane.purpose == Purpose::retries && blames_a_message(error)) {
      suspects_.insert(suspects_.end(), tokens.begin(), tokens.end());
      return;
    }
    for (const Token token : tokens) {
      const Outgoing& outgoing = parcels_.at(token).outgoing;
      put_aside(token, trouble(outgoing.message.routing_key, outgoing.must_arrive));
    }
    return;
  }
  if (blames_a_message(error)) {
    if (lane.purpose == Purpose::suspects) {
      for (const Token token : tokens) convict(token, error);
    } else {
      suspect(std::move(tokens), error);
    }
    return;
  }
  open_lane(lane.purpose).next_open = clock_.steady_now() + kOpenAgain;
  if (lane.purpose == Purpose::suspects) {
    suspects_.insert(suspects_.begin(), tokens.begin(), tokens.end());
    return;
  }
  for (const Token token : tokens) dispatch(token);
}

// The broker closed the connection because of one of these messages. Possible causes are published
// one by one; the others are published once more.
void Settler::suspect(Tokens tokens, const amqp::Error& error) {
  std::size_t largest = 0;
  for (const Token token : tokens) {
    largest = std::max(largest, parcels_.at(token).outgoing.message.body.size());
  }
  const auto may_be_the_cause = [&](Token token) {
    const Parcel& parcel = parcels_.at(token);
    if (parcel.was_resent) return true;  // others were ruled out already
    const amqp::Message& message = parcel.outgoing.message;
    return error.reply_code == kPreconditionFailed ? 2 * message.body.size() >= largest
                                                   : is_direct_reply(message.routing_key);
  };
  const bool is_anyone = std::ranges::any_of(tokens, may_be_the_cause);
  for (const Token token : tokens) {
    Parcel& parcel = parcels_.at(token);
    if (!is_anyone || may_be_the_cause(token)) {
      leave_batch(parcel);
      proven_.erase(parcel.outgoing.message.routing_key);
      suspects_.push_back(token);
    } else {
      parcel.was_resent = true;
      dispatch(token);
    }
  }
}

void Settler::try_suspects() {
  if (suspects_.empty()) return;
  Lane& lane = open_lane(Purpose::suspects);
  kick(lane);  // one that could not be opened before
  if (!under_way(lane).empty()) return;
  while (!suspects_.empty()) {
    const Token token = suspects_.front();
    suspects_.pop_front();
    const auto parcel = parcels_.find(token);
    if (parcel == parcels_.end()) continue;
    const Outgoing& outgoing = parcel->second.outgoing;
    if (!outgoing.must_arrive && harmful_.contains(outgoing.message.routing_key)) {
      give_up(token, "the broker closes the connection on it");
      continue;
    }
    const auto trouble = troubles_.find(outgoing.message.routing_key);
    const bool may_be_harmful = is_direct_reply(outgoing.message.routing_key);
    if (trouble != troubles_.end() && !may_be_harmful) {  // the others would wait behind it
      put_aside(token, trouble->second);
      continue;
    }
    send(token, Purpose::suspects);
    return;
  }
}

// The broker closed the connection because of a message that was published alone.
void Settler::convict(Token token, const amqp::Error& error) {
  Parcel& parcel = parcels_.at(token);
  amqp::Message& message = parcel.outgoing.message;
  const std::string& queue = message.routing_key;
  log_bad_reply(message, fmt::format("{}: the broker closes the connection on an answer to {}: {}",
                                     options_.queue, queue, error.what));
  if (error.reply_code == kPreconditionFailed) {  // not the fault of the address
    if (is_dead_letter(parcel.outgoing) && !message.body.empty()) {
      drop_body(message);
      dispatch(token);
    } else {
      give_up(token, "it is larger than the broker takes");
    }
    return;
  }
  if (is_direct_reply(queue) ||
      (!parcel.outgoing.must_arrive && ++strikes_[queue] >= kStrikesOfAQueue)) {
    remember(harmful_, queue);
    give_up(token, "the broker closes the connection on it");
    return;
  }
  if (strikes_.size() > kAddressesMax) strikes_.clear();
  suspects_.push_back(token);
}

// Replaces a connection that the broker has stopped reading, or soon will. Its messages for queues
// that may be sound are published once more: one message for each queue first, the others once that
// is answered.
void Settler::retire(Lane& lane) {
  const Tokens unanswered = under_way(lane);
  const std::deque<Sending> unsent = std::exchange(lane.outbox, {});
  lane.is_retired = true;
  lane.retired_at = clock_.steady_now();
  lane.outlet->stop_sending();
  for (const Sending& sending : unsent) {
    Parcel* const parcel = find_under_way(lane, sending);
    if (parcel == nullptr) continue;
    parcel->lane = nullptr;
    dispatch(sending.token);
  }
  for (const Token token : unanswered) {
    Parcel& parcel = parcels_.at(token);
    if (parcel.lane != &lane) continue;
    leave_batch(parcel);
    if (parcel.place < lane.last_answered) continue;  // its queue is silent
    parcel.lane = nullptr;
    Trouble& suspected = trouble(parcel.outgoing.message.routing_key, parcel.outgoing.must_arrive);
    suspected.is_silent = true;
    suspected.recovering_since.reset();
    put_aside(token, suspected);
  }
}

void Settler::forget_old_lanes() {
  const auto now = clock_.steady_now();
  const auto is_over = [&](const Lane& lane) {
    if (lane.is_sending || lane.lost) return false;
    if (lane.purpose == Purpose::retries) {
      // Nothing for the service's own queues is ever given up, so they are tried again.
      const bool is_stale = now - lane.last_progress >= kAskedMax;
      return lane.outlet && lane.outbox.empty() && (is_stale || under_way(lane).empty());
    }
    // A late answer settles a message even if it was published once more.
    const bool is_awaited = std::ranges::any_of(
        lane.sent, [this](const Sending& sending) { return parcels_.contains(sending.token); });
    return lane.is_retired && (now - lane.retired_at >= kAskedMax || !is_awaited);
  };
  for (auto lane = lanes_.begin(); lane != lanes_.end();) {
    const auto next = std::next(lane);
    if (is_over(*lane)) {
      lane->lost = amqp::Error{.fault = amqp::Fault::link_lost, .what = "given up"};
      see_to_loss(*lane);
      lanes_.erase(lane);
    }
    lane = next;
  }
  const auto is_retired = [](const Lane& lane) { return lane.is_retired && !lane.is_sending; };
  while (std::cmp_greater(std::ranges::count_if(lanes_, is_retired), kRetiredMax)) {
    const auto oldest = std::ranges::find_if(lanes_, is_retired);
    oldest->lost = amqp::Error{.fault = amqp::Fault::link_lost, .what = "given up"};
    see_to_loss(*oldest);
    lanes_.erase(oldest);
  }
}

}  // namespace inventory::service
