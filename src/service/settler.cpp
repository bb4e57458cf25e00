#include "service/settler.h"

#include <algorithm>
#include <array>
#include <exception>
#include <iterator>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "contract/order_message.h"

namespace inventory::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Without any answer for so long, a batch leaves behind what has none.
constexpr milliseconds kMoveOn{20};
// Without an answer for so long, a queue is silent. An election of a quorum queue or a slow disk
// takes longer now and then: that costs the queue's own replies a detour, and nobody else anything.
constexpr milliseconds kSilentAfter{500};
constexpr milliseconds kLookEach{100};  // while something is under way
// A quorum queue lets a connection send it 32 messages that it has not answered before the broker
// stops reading that connection (quorum_commands_soft_limit), a classic queue some hundreds.
constexpr std::size_t kSilentUnderWayMax = 16;

constexpr milliseconds kRetryFirst{100};
constexpr milliseconds kRetryLast{2'000};
constexpr seconds kRejectedMax{10};      // then a client's reply is given up
constexpr seconds kRejectedMaxKnown{5};  // where all were in vain before
constexpr seconds kSilentMax{30};        // then a client's reply is kept by the service
// Then the link is given up; or, where others are answered, a message for a queue of the service's
// own is published again, since its answer may not come any more.
constexpr seconds kNoAnswerMax{30};
constexpr seconds kDeclareAgain{10};
constexpr milliseconds kOpenAgain{1'000};
constexpr std::size_t kRetiredMax = 4;  // connections that only wait for answers
// Of its own queues nothing is given up; past this, answers wait.
constexpr std::size_t kHeldUpHereMax = 500;

// How often in a row the broker may close the connection on an answer that was published alone. A
// direct reply-to address holds what the broker reads; the name of a queue does not, and what
// closed the connection may have been something else.
constexpr int kStrikesOfAQueue = 5;
constexpr std::size_t kAddressesMax = 10'000;  // that are remembered, of each sort
constexpr std::uint16_t kPreconditionFailed = 406;

// Whether the broker has closed channel or connection because of what a message holds (AMQP 0-9-1,
// 1.2). RabbitMQ 3.10 answers a reply to some malformed direct reply-to addresses with 541.
bool blames_a_message(const amqp::Error& error) {
  constexpr std::array<std::uint16_t, 6> kCodes{kPreconditionFailed, 501, 502, 503, 505, 541};
  return std::ranges::find(kCodes, error.reply_code) != kCodes.end();
}

bool is_dead_letter(const Outgoing& outgoing) { return outgoing.message.keeps_properties; }

template <class Set, class Value>
void remember(Set& set, const Value& value) {
  if (set.size() >= kAddressesMax) set.clear();
  set.insert(value);
}

void rethrow(const std::exception_ptr& error) {
  if (error) std::rethrow_exception(error);
}

milliseconds until(std::chrono::steady_clock::time_point when,
                   std::chrono::steady_clock::time_point now) {
  return std::max(milliseconds(1), std::chrono::ceil<milliseconds>(when - now));
}

}  // namespace

Settler::Settler(const boost::asio::any_io_executor& executor, SettlerOptions options, Clock& clock,
                 Events events, Observer& observer)
    : executor_(executor),
      options_(std::move(options)),
      clock_(clock),
      events_(std::move(events)),
      observer_(observer),
      settled_(executor, clock),
      look_(executor, clock),
      rejections_(clock) {}

// ---- a session

Task<amqp::Result<void>> Settler::begin(Link& link) {
  link_ = &link;
  is_ending_ = false;
  failure_.reset();
  Lane& replies = open_lane(Purpose::replies);
  co_await open(replies);
  if (replies.lost) {
    amqp::Error error = *replies.lost;
    co_await end(false);
    co_return std::unexpected(std::move(error));
  }
  co_return amqp::Result<void>();
}

Task<std::optional<std::string>> Settler::settle(std::vector<Answer> answers) {
  is_in_settle_ = true;
  ++batch_;
  in_batch_ = 0;
  is_admitting_ = true;
  for (Answer& answer : answers) admit(std::move(answer));
  is_admitting_ = false;
  answers.clear();
  if (is_idle_) look_.notify();
  Lane* replies = find_lane(Purpose::replies);
  if (replies != nullptr && !replies->is_sending && !replies->outbox.empty()) {
    co_await pump(*replies);
  }
  const auto begun = clock_.steady_now();
  const auto has_no_room = [this] { return held_up_here_ >= kHeldUpHereMax && !is_stopping_; };
  while (!failure_ && (in_batch_ > 0 || has_no_room())) {
    const auto now = clock_.steady_now();
    const auto moves_on_at = std::max(begun, last_answer_) + kMoveOn;
    const bool must_wait = blocked_ || has_no_room();
    if (!must_wait && now >= moves_on_at) break;
    co_await settled_.wait(must_wait ? std::nullopt : std::optional(until(moves_on_at, now)));
  }
  is_in_settle_ = false;
  observer_.published(std::exchange(published_, {}));
  co_return failure_;
}

Task<std::optional<std::string>> Settler::tend() {
  while (!failure_ && !is_ending_) {
    if (see_to_losses()) continue;
    see_to_silence();
    see_to_waiting();
    try_suspects();
    if (!to_keep_.empty()) co_await declare_kept_queue();
    forget_old_lanes();
    update_texts();
    tell_late();
    if (failure_ || is_ending_) break;
    const auto next = next_look();
    is_idle_ = !next;
    co_await look_.wait(next);
    is_idle_ = false;
  }
  settled_.notify();
  co_return failure_;
}

void Settler::stop() {
  is_stopping_ = true;
  settled_.notify();
}

Task<void> Settler::finish(milliseconds at_most) {
  const auto deadline = clock_.steady_now() + at_most;
  const auto is_under_way = [this] {
    return std::ranges::any_of(parcels_, [this](const auto& parcel) {
      return parcel.second.lane != nullptr &&
             !troubles_.contains(parcel.second.outgoing.message.routing_key);
    });
  };
  while (!failure_ && is_under_way() && clock_.steady_now() < deadline) {
    co_await settled_.wait(kLookEach);
  }
  tell_late();
  is_ending_ = true;
  look_.notify();
}

Task<void> Settler::end(bool in_order) {
  is_ending_ = true;
  for (Lane& lane : lanes_) {
    if (lane.outlet) lane.outlet->stop_sending();
  }
  for (Lane& lane : lanes_) {
    if (in_order && lane.outlet && !lane.lost) co_await lane.outlet->close();
  }
  while (running_ > 0) co_await settled_.wait(std::nullopt);
  lanes_.clear();
  is_in_settle_ = false;
  parcels_.clear();
  requests_.clear();
  suspects_.clear();
  to_keep_.clear();
  has_kept_queue_ = false;
  held_up_ = held_up_here_ = 0;
  std::erase_if(troubles_, [](const auto& entry) { return entry.second.is_ours; });
  for (auto& [queue, trouble] : troubles_) {
    trouble.waiting.clear();
    trouble.unsettled = 0;
  }
  while (troubles_.size() > kAddressesMax) troubles_.erase(troubles_.begin());
  blocked_.reset();
  update_texts();
}

void Settler::fail(std::string why) {
  if (!failure_) failure_ = std::move(why);
  settled_.notify();
  look_.notify();
}

// ---- connections

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
  // The link works all the same; the broker may not allow as many connections.
  lane.next_open = clock_.steady_now() + kOpenAgain;
  rejections_.warn("connection", fmt::format("{}: no further connection to the broker: {}",
                                             options_.queue, outlet.error().what));
  if (lane.purpose == Purpose::unproven) {
    for (const Token token : std::exchange(lane.outbox, {})) send(token, Purpose::replies);
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

// In a later turn: what the broker says at once must not change what the caller goes through.
Task<void> Settler::pump_later(Lane& lane) {
  co_await boost::asio::post(executor_, boost::asio::use_awaitable);
  co_await pump(lane);
}

// Sends what is in the outbox, and what is put there meanwhile.
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
    for (const Token token : std::exchange(lane.outbox, {})) {
      const auto found = parcels_.find(token);
      if (found == parcels_.end()) continue;  // settled by an answer that came late
      Parcel& parcel = found->second;
      parcel.lane = &lane;
      parcel.place = ++lane.sent_count;
      parcel.sent_at = now;
      lane.sent.push_back(token);
      tokens.push_back(token);
    }
    const amqp::FindMessage find = [this, &lane](Token token) -> const amqp::Message* {
      const auto parcel = parcels_.find(token);
      const bool is_here = parcel != parcels_.end() && parcel->second.lane == &lane;
      return is_here ? &parcel->second.outgoing.message : nullptr;
    };
    (void)co_await lane.outlet->send(tokens, find);  // on_lost() and retire() see to what it left
  }
  lane.is_sending = false;
  look_.notify();
}

Settler::Purpose Settler::purpose_of(const Outgoing& outgoing) const {
  const std::string& queue = outgoing.message.routing_key;
  return is_direct_reply(queue) && !proven_.contains(queue) ? Purpose::unproven : Purpose::replies;
}

void Settler::send(Token token, Purpose purpose) {
  Lane& lane = open_lane(purpose);
  parcels_.at(token).lane = &lane;
  lane.outbox.push_back(token);
  if (purpose != Purpose::replies) {
    kick(lane);
  } else if (!is_admitting_) {  // settle() itself sends what its batch has
    look_.notify();
  }
}

Settler::Tokens Settler::under_way(const Lane& lane) const {
  Tokens tokens;
  const auto add = [&](const std::deque<Token>& from) {
    std::ranges::copy_if(from, std::back_inserter(tokens), [&](Token token) {
      const auto parcel = parcels_.find(token);
      return parcel != parcels_.end() && parcel->second.lane == &lane;
    });
  };
  add(lane.sent);
  add(lane.outbox);
  return tokens;
}

// ---- requests and their messages

void Settler::admit(Answer answer) {
  const std::uint64_t tag = answer.delivery_tag;
  requests_.emplace(tag, Request{.received_at = answer.received_at,
                                 .outcome = answer.outcome,
                                 .replayed = answer.replayed,
                                 .unsettled = answer.dead_letter ? 2U : 1U});
  add(std::move(answer.reply), tag);
  if (answer.dead_letter) add(std::move(*answer.dead_letter), tag);
}

void Settler::add(Outgoing outgoing, std::uint64_t request) {
  const Token token = next_token_++;
  ++in_batch_;
  if (const auto trouble = troubles_.find(outgoing.message.routing_key);
      trouble != troubles_.end()) {
    count(trouble->second, 1);
  }
  parcels_.emplace(token, Parcel{.outgoing = std::move(outgoing),
                                 .request = request,
                                 .batch = batch_,
                                 .since = clock_.steady_now()});
  dispatch(token);
}

// Sends a message, unless its queue is known to take none.
void Settler::dispatch(Token token) {
  Parcel& parcel = parcels_.at(token);
  const std::string& queue = parcel.outgoing.message.routing_key;
  if (!parcel.outgoing.must_arrive && harmful_.contains(queue)) {
    give_up(token, "the broker closes the connection on it");
    return;
  }
  if (const auto trouble = troubles_.find(queue); trouble != troubles_.end()) {
    put_aside(token, trouble->second);
    return;
  }
  send(token, purpose_of(parcel.outgoing));
}

void Settler::leave_batch(Parcel& parcel) {
  if (parcel.batch != batch_) return;
  parcel.batch = 0;
  if (--in_batch_ == 0 && is_in_settle_) settled_.notify();
}

void Settler::complete(Token token) {
  const auto parcel = parcels_.find(token);
  leave_batch(parcel->second);
  take_from_waiting(token);
  if (const auto trouble = troubles_.find(parcel->second.outgoing.message.routing_key);
      trouble != troubles_.end()) {
    count(trouble->second, -1);
  }
  const auto request = requests_.find(parcel->second.request);
  parcels_.erase(parcel);
  if (--request->second.unsettled > 0) return;
  events_.on_settled({.delivery_tag = request->first,
                      .received_at = request->second.received_at,
                      .outcome = request->second.outcome,
                      .replayed = request->second.replayed});
  requests_.erase(request);
  if (!is_in_settle_) look_.notify();
}

void Settler::give_up(Token token, std::string_view why) {
  const amqp::Message& message = parcels_.at(token).outgoing.message;
  log_bad_reply(message, "{}: a reply to {} is given up: {}", options_.queue, message.routing_key,
                why);
  ++published_.given_up;
  complete(token);
}

// ---- what the broker says

void Settler::on_answer(Lane& lane, Token token, amqp::Settlement settlement) {
  last_answer_ = lane.last_progress = clock_.steady_now();
  if (settlement == amqp::Settlement::confirmed && !lane.has_confirmed) {
    lane.has_confirmed = true;
    if (!lane.stranded.empty()) look_.notify();
  }
  const auto found = parcels_.find(token);
  if (found == parcels_.end()) return;  // settled over another connection
  Parcel& parcel = found->second;
  if (parcel.lane == &lane) {
    lane.last_answered = std::max(lane.last_answered, parcel.place);
    parcel.lane = nullptr;
  } else if (settlement != amqp::Settlement::confirmed) {
    return;  // it is under way over another connection
  }
  while (!lane.sent.empty()) {
    const auto first = parcels_.find(lane.sent.front());
    if (first != parcels_.end() && first->second.lane == &lane) break;
    lane.sent.pop_front();
  }
  answered(token, parcel, settlement);
}

void Settler::answered(Token token, Parcel& parcel, amqp::Settlement settlement) {
  const std::string queue = parcel.outgoing.message.routing_key;
  const bool must_arrive = parcel.outgoing.must_arrive;
  switch (settlement) {
    case amqp::Settlement::confirmed:
      ++published_.confirmed;
      if (!strikes_.empty()) strikes_.erase(queue);
      if (is_direct_reply(queue)) remember(proven_, queue);
      complete(token);
      recover(queue);
      break;
    case amqp::Settlement::returned:
      if (must_arrive) {
        fail(fmt::format("queue {} of the service's own is gone", queue));
        return;
      }
      ++published_.returned;
      complete(token);
      recover(queue);
      break;
    case amqp::Settlement::too_large:
      if (drop_foreign_headers(parcel.outgoing.message)) {
        log_bad_reply(parcel.outgoing.message,
                      "{}: a dead letter leaves out its headers, which do not fit in a frame",
                      options_.queue);
        send(token, Purpose::replies);
      } else {
        give_up(token, "it does not fit in a frame");
      }
      break;
    case amqp::Settlement::rejected:
      ++published_.rejected;
      put_aside(token, trouble(queue, must_arrive));
      break;
  }
}

void Settler::on_lost(Lane& lane, const amqp::Error& error) {
  if (lane.lost) return;
  lane.lost = error;
  look_.notify();
  // In the way of a batch it has to be seen to at once; tend() may not run yet.
  if (lane.purpose == Purpose::replies && !lane.is_retired && !blames_a_message(error)) {
    fail(fmt::format("answers were not confirmed: {}", error.what));
  }
}

void Settler::on_blocked(Lane& lane, const std::optional<std::string>& reason) {
  lane.is_blocked = reason.has_value();
  lane.last_progress = clock_.steady_now();
  if (!reason) {  // answers begin to come now
    for (const Token token : lane.sent) {
      if (const auto parcel = parcels_.find(token); parcel != parcels_.end()) {
        parcel->second.sent_at = lane.last_progress;
      }
    }
  }
  if (lane.purpose == Purpose::replies && !lane.is_retired) {
    if (reason && !blocked_) {
      spdlog::warn(
          "{}: the broker takes no messages: {}; answers wait, nothing is lost: free memory or "
          "disk at the broker, and they go out",
          options_.queue, *reason);
    } else if (!reason && blocked_) {
      spdlog::info("{}: the broker takes messages again", options_.queue);
    }
    blocked_ = reason;
    observer_.blocked(blocked_.has_value());
    events_.on_change();
  }
  settled_.notify();
}

// ---- queues that take nothing

Settler::Trouble& Settler::trouble(const std::string& queue, bool is_ours) {
  const auto found = troubles_.find(queue);
  if (found != troubles_.end()) return found->second;
  Trouble& trouble =
      troubles_
          .emplace(queue, Trouble{.is_ours = is_ours,
                                  .since = clock_.steady_now(),
                                  .next_try = clock_.steady_now(),
                                  .backoff = Backoff(kRetryFirst, kRetryLast, options_.seed)})
          .first->second;
  count(trouble, std::ranges::count_if(parcels_, [&](const auto& parcel) {
          return parcel.second.outgoing.message.routing_key == queue;
        }));
  return trouble;
}

void Settler::count(Trouble& trouble, std::ptrdiff_t change) {
  std::size_t& all = trouble.is_ours ? held_up_here_ : held_up_;
  trouble.unsettled =
      static_cast<std::size_t>(static_cast<std::ptrdiff_t>(trouble.unsettled) + change);
  all = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(all) + change);
  if (trouble.is_ours && change < 0) settled_.notify();
  observer_.waiting(held_up_);
}

void Settler::put_aside(Token token, Trouble& trouble) {
  Parcel& parcel = parcels_.at(token);
  const std::string& queue = parcel.outgoing.message.routing_key;
  leave_batch(parcel);
  const bool is_too_many = !trouble.is_ours && (trouble.unsettled > options_.waiting_of_queue_max ||
                                                held_up_ > options_.waiting_max);
  if (is_too_many && !trouble.is_silent && full_.contains(queue)) {
    give_up(token, "its queue keeps rejecting");
    return;
  }
  parcel.is_waiting = true;
  trouble.waiting.push_back(token);
  if (trouble.waiting.size() == 1 && trouble.next_try <= clock_.steady_now()) {
    trouble.next_try = clock_.steady_now() + trouble.backoff.next();
  }
  if (is_too_many) keep(token);
  look_.notify();
}

void Settler::take_from_waiting(Token token) {
  const auto found = parcels_.find(token);
  if (!found->second.is_waiting) return;
  found->second.is_waiting = false;
  std::erase(troubles_.at(found->second.outgoing.message.routing_key).waiting, token);
}

// The queue has taken a message: all that waits for it may go.
void Settler::recover(const std::string& queue) {
  if (troubles_.empty()) return;
  const auto trouble = troubles_.find(queue);
  if (trouble == troubles_.end()) return;
  const std::deque<Token> waiting = trouble->second.waiting;
  if (log_limit_.admit(clock_.steady_now())) {
    spdlog::info("{}: queue {} takes messages again; {} waited", options_.queue, queue,
                 waiting.size());
  }
  for (const Token token : waiting) parcels_.at(token).is_waiting = false;
  count(trouble->second, -static_cast<std::ptrdiff_t>(trouble->second.unsettled));
  troubles_.erase(trouble);
  full_.erase(queue);
  for (const Token token : waiting) send(token, purpose_of(parcels_.at(token).outgoing));
}

// Puts a client's reply into the service's own queue, from which it can be sent on.
void Settler::keep(Token token) {
  take_from_waiting(token);
  Parcel& parcel = parcels_.at(token);
  count(troubles_.at(parcel.outgoing.message.routing_key), -1);
  log_bad_reply(parcel.outgoing.message, "{}: a reply to {} is kept in {}: its queue takes none",
                options_.queue, parcel.outgoing.message.routing_key, options_.kept_queue);
  parcel.outgoing = make_kept_reply(std::move(parcel.outgoing), options_.kept_queue,
                                    std::chrono::floor<std::chrono::microseconds>(clock_.now()));
  parcel.lane = nullptr;
  if (const auto trouble = troubles_.find(options_.kept_queue); trouble != troubles_.end()) {
    count(trouble->second, 1);
  }
  ++published_.kept;
  to_keep_.push_back(token);
  look_.notify();
}

Task<void> Settler::declare_kept_queue() {
  if (!has_kept_queue_) {
    Lane& replies = open_lane(Purpose::replies);
    if (replies.is_sending || clock_.steady_now() < next_declaration_) co_return;
    replies.is_sending = true;
    if (!replies.outlet) co_await open(replies);
    amqp::Result<void> declared;
    if (replies.outlet) declared = co_await replies.outlet->ensure_queue(options_.kept_queue);
    replies.is_sending = false;
    if (replies.lost) co_return;
    if (!declared) {
      next_declaration_ = clock_.steady_now() + kDeclareAgain;
      rejections_.warn(options_.kept_queue,
                       fmt::format("{}: {} replies wait for queue {}: {}", options_.queue,
                                   to_keep_.size(), options_.kept_queue, declared.error().what));
      co_return;
    }
    has_kept_queue_ = true;
  }
  for (const Token token : std::exchange(to_keep_, {})) {
    if (parcels_.contains(token)) dispatch(token);
  }
}

// ---- what tend() sees to

bool Settler::see_to_losses() {
  const auto lost =
      std::ranges::find_if(lanes_, [](const Lane& lane) { return lane.lost && !lane.is_sending; });
  if (lost == lanes_.end()) return false;
  see_to_loss(*lost);
  lanes_.erase(lost);
  return true;
}

void Settler::see_to_loss(Lane& lane) {
  Tokens tokens = under_way(lane);
  std::ranges::copy_if(lane.stranded, std::back_inserter(tokens), [this](Token token) {
    const auto parcel = parcels_.find(token);
    return parcel != parcels_.end() && parcel->second.lane == nullptr;
  });
  for (const Token token : tokens) parcels_.at(token).lane = nullptr;
  lane.outlet.reset();
  if (lane.is_retired || lane.purpose == Purpose::retries) {
    if (lane.purpose == Purpose::retries && blames_a_message(*lane.lost)) {
      suspects_.insert(suspects_.end(), tokens.begin(), tokens.end());
      return;
    }
    for (const Token token : tokens) {
      const Outgoing& outgoing = parcels_.at(token).outgoing;
      put_aside(token, trouble(outgoing.message.routing_key, outgoing.must_arrive));
    }
    return;
  }
  if (blames_a_message(*lane.lost)) {
    if (lane.purpose == Purpose::suspects) {
      for (const Token token : tokens) convict(token, *lane.lost);
    } else {
      suspect(std::move(tokens), *lane.lost);
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

// The broker has closed the connection on one of these messages. Those that may be the cause are
// published one by one; the others, which are not, once more.
void Settler::suspect(Tokens tokens, const amqp::Error& error) {
  std::size_t largest = 0;
  for (const Token token : tokens) {
    largest = std::max(largest, parcels_.at(token).outgoing.message.body.size());
  }
  const auto may_be_the_cause = [&](Token token) {
    const Parcel& parcel = parcels_.at(token);
    if (parcel.was_resent) return true;  // others were left out already
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
    send(token, Purpose::suspects);
    return;
  }
}

// The broker has closed the connection on a message that was published alone.
void Settler::convict(Token token, const amqp::Error& error) {
  Parcel& parcel = parcels_.at(token);
  amqp::Message& message = parcel.outgoing.message;
  const std::string& queue = message.routing_key;
  log_bad_reply(message, "{}: the broker closes the connection on an answer to {}: {}",
                options_.queue, queue, error.what);
  if (error.reply_code == kPreconditionFailed) {  // that is not the address's fault
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

// Queues that do not answer, though others do that were asked after them, or that are the first
// without an answer while nothing is answered.
void Settler::see_to_silence() {
  const auto now = clock_.steady_now();
  for (Lane& lane : lanes_) {
    if (lane.is_blocked || lane.lost || !lane.outlet) continue;
    bool is_stuck = false;  // what it holds for others is not answered either
    bool is_first = true;
    std::map<std::string, std::size_t> silent;
    Tokens unanswered;  // for so long that they are published again
    for (const Token token : lane.sent) {
      const auto found = parcels_.find(token);
      if (found == parcels_.end() || found->second.lane != &lane) continue;
      const Parcel& parcel = found->second;
      if (now - parcel.sent_at < kSilentAfter) break;
      const std::string& queue = parcel.outgoing.message.routing_key;
      const bool is_passed_over = parcel.place < lane.last_answered;
      const bool stands_still = now - lane.last_progress >= kSilentAfter;
      if (is_passed_over || (is_first && stands_still) || silent.contains(queue)) {
        ++silent[queue];
      } else if (stands_still && !troubles_.contains(queue)) {
        is_stuck = true;
      }
      if (parcel.outgoing.must_arrive && now - parcel.sent_at >= kNoAnswerMax) {
        unanswered.push_back(token);
      }
      is_first = false;
    }
    if (is_stuck && lane.purpose == Purpose::replies && !lane.is_retired &&
        now - lane.last_progress >= kNoAnswerMax) {
      fail(fmt::format("no confirm for {} s while {} messages wait for theirs",
                       std::chrono::duration_cast<seconds>(kNoAnswerMax).count(),
                       under_way(lane).size()));
      return;
    }
    std::size_t most = 0;
    for (const auto& [queue, count] : silent) {
      mark_silent(queue);
      most = std::max(most, count);
    }
    for (const Token token : unanswered) {
      Parcel& parcel = parcels_.at(token);
      const auto trouble = troubles_.find(parcel.outgoing.message.routing_key);
      if (trouble == troubles_.end() || parcel.lane != &lane) continue;
      parcel.lane = nullptr;
      put_aside(token, trouble->second);
    }
    const bool can_move = lane.purpose != Purpose::retries && !lane.is_retired;
    if (can_move && (is_stuck || most >= kSilentUnderWayMax ||
                     (lane.purpose == Purpose::suspects && most > 0))) {
      retire(lane);
      return;  // the list has changed
    }
  }
}

void Settler::mark_silent(const std::string& queue) {
  bool is_ours = false;
  for (auto& [token, parcel] : parcels_) {
    if (parcel.outgoing.message.routing_key != queue) continue;
    is_ours = is_ours || parcel.outgoing.must_arrive;
    leave_batch(parcel);
  }
  const bool is_new = !troubles_.contains(queue);
  Trouble& silent = trouble(queue, is_ours);
  silent.is_silent = true;
  if (is_new && log_limit_.admit(clock_.steady_now())) {
    spdlog::warn(
        "{}: queue {} does not answer: its replies wait, others go on; see whether it has a leader",
        options_.queue, queue);
  }
}

// Puts another connection in the place of one that the broker does not read any more, or soon will
// not. It stays, for the answers to what is under way to silent queues. What it holds for others is
// published again over the new one: one message first, to see that the broker has not stood still.
void Settler::retire(Lane& lane) {
  const bool is_second = std::ranges::any_of(lanes_, [&lane](const Lane& other) {
    return other.is_retired && other.purpose == lane.purpose;
  });
  if (is_second && !lane.has_confirmed) return;  // nothing is answered: the broker stands still
  lane.is_retired = true;
  if (lane.outlet) lane.outlet->stop_sending();
  Tokens others;
  for (const Token token : under_way(lane)) {
    Parcel& parcel = parcels_.at(token);
    if (troubles_.contains(parcel.outgoing.message.routing_key) || parcel.was_resent) continue;
    others.push_back(token);
  }
  const std::deque<Token> unsent = std::exchange(lane.outbox, {});
  Lane& next = open_lane(lane.purpose);
  next.last_progress = clock_.steady_now();
  for (const Token token : others) {
    Parcel& parcel = parcels_.at(token);
    parcel.lane = nullptr;
    if (std::ranges::find(unsent, token) == unsent.end()) {
      parcel.was_resent = true;
      next.stranded.push_back(token);
    } else {
      dispatch(token);
    }
  }
  next.stranded.insert(next.stranded.end(), lane.stranded.begin(), lane.stranded.end());
  lane.stranded.clear();
}

// Sends one of those that wait for a proof that the connection works, and the others when it came.
void Settler::see_to_stranded(Lane& lane) {
  const auto is_under_way = [&] {
    return std::ranges::any_of(under_way(lane), [this](Token token) {
      return !troubles_.contains(parcels_.at(token).outgoing.message.routing_key);
    });
  };
  while (!lane.stranded.empty() && (lane.has_confirmed || !is_under_way())) {
    const Token token = lane.stranded.front();
    lane.stranded.erase(lane.stranded.begin());
    const auto parcel = parcels_.find(token);
    if (parcel != parcels_.end() && parcel->second.lane == nullptr) dispatch(token);
  }
}

void Settler::see_to_waiting() {
  const auto now = clock_.steady_now();
  for (Lane& lane : lanes_) {
    if (lane.is_retired) continue;
    if (!lane.stranded.empty()) see_to_stranded(lane);
    kick(lane);
  }
  // Which queues have a message under way, which tells when they answer again.
  std::set<std::string> asked;
  Tokens overdue;
  if (troubles_.empty()) return;
  for (const auto& [token, parcel] : parcels_) {
    const auto found = troubles_.find(parcel.outgoing.message.routing_key);
    if (found == troubles_.end()) continue;
    if (parcel.lane != nullptr) asked.insert(found->first);
    if (found->second.is_ours) continue;
    const seconds patience = found->second.is_silent        ? kSilentMax
                             : full_.contains(found->first) ? kRejectedMaxKnown
                                                            : kRejectedMax;
    // A reply may have waited before for a broker that took no messages.
    if (now - std::max(parcel.since, found->second.since) >= patience) overdue.push_back(token);
  }
  std::ranges::sort(overdue);
  for (const Token token : overdue) {
    const std::string queue = parcels_.at(token).outgoing.message.routing_key;
    if (troubles_.at(queue).is_silent) {
      keep(token);
    } else if (parcels_.at(token).lane == nullptr) {
      remember(full_, queue);
      give_up(token, "its queue keeps rejecting");
    }
  }
  for (auto& [queue, trouble] : troubles_) {
    if (trouble.waiting.empty() || asked.contains(queue) || trouble.next_try > now) continue;
    const Token token = trouble.waiting.front();
    trouble.next_try = now + trouble.backoff.next();
    take_from_waiting(token);
    send(token, Purpose::retries);
  }
  // A queue that nobody waits for, and that was not asked for long, is forgotten: perhaps it works.
  std::erase_if(troubles_, [&](const auto& entry) {
    return entry.second.unsettled == 0 && !asked.contains(entry.first) &&
           (entry.second.is_ours || now - entry.second.next_try >= kSilentMax);
  });
}

void Settler::forget_old_lanes() {
  const auto is_done = [this](const Lane& lane) {
    return lane.is_retired && !lane.is_sending && under_way(lane).empty();
  };
  for (;;) {
    auto old = std::ranges::find_if(lanes_, is_done);
    const auto retired = std::ranges::count_if(lanes_, &Lane::is_retired);
    if (old == lanes_.end() && std::cmp_greater(retired, kRetiredMax)) {
      old = std::ranges::find_if(
          lanes_, [](const Lane& lane) { return lane.is_retired && !lane.is_sending; });
    }
    if (old == lanes_.end()) return;
    old->outlet.reset();
    if (!old->lost) old->lost = amqp::Error{.fault = amqp::Fault::link_lost, .what = "given up"};
    see_to_loss(*old);
    lanes_.erase(old);
  }
}

std::optional<milliseconds> Settler::next_look() const {
  const bool is_lost =
      std::ranges::any_of(lanes_, [](const Lane& lane) { return lane.lost && !lane.is_sending; });
  if (is_lost) return milliseconds(1);
  if (parcels_.empty()) return std::nullopt;
  return kLookEach;
}

// ---- for people

void Settler::tell_late() {
  if (is_in_settle_) return;
  if (published_ != Published{}) observer_.published(std::exchange(published_, {}));
  events_.on_late();
}

void Settler::update_texts() {
  std::optional<std::string> text;
  for (const auto& [queue, trouble] : troubles_) {
    if (!trouble.is_ours) continue;
    text = fmt::format("queue {} {}", queue,
                       trouble.is_silent ? "does not answer" : "rejects messages");
    rejections_.warn(queue, fmt::format("{}: {}: {} answers wait; make room there, or see whether "
                                        "it has a leader",
                                        options_.queue, *text, trouble.waiting.size()));
    break;
  }
  if (troubles_.empty()) rejections_.reset();
  if (text != trouble_text_) {
    trouble_text_ = std::move(text);
    events_.on_change();
  }
}

// What a log record about an answer says of its request.
log::Fields Settler::fields(const amqp::Message& message) const {
  log::Fields fields;
  if (const auto order = contract::order_of_reply(message.body)) {
    fields.order_id = order->id.display();
    fields.product_id = order->product;
  }
  fields.queue = options_.queue;
  fields.trace_id = trace_id(message.properties);
  return fields;
}

template <class... Args>
void Settler::log_bad_reply(const amqp::Message& message, fmt::format_string<Args...> format,
                            Args&&... args) {
  const auto left_out = log_limit_.admit(clock_.steady_now());
  if (!left_out) return;
  const std::string text = fmt::format(format, std::forward<Args>(args)...);
  log::write(spdlog::level::err, fields(message), "{}{}", text,
             *left_out > 0 ? fmt::format("; {} like it were not logged", *left_out) : "");
}

}  // namespace inventory::service
