#include "service/settler.h"

// What the settler does for queues that take no messages: what waits for them, when they are tried
// again, and what is given up or kept.

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace inventory::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A queue without an answer for so long is silent. A quorum queue's election or a slow disk
// sometimes takes longer: that costs only the queue's own replies a detour.
constexpr milliseconds kSilentAfter{500};
// After 32 messages that a quorum queue has not answered, the broker stops reading the connection
// (quorum_commands_soft_limit), with a classic queue after some hundreds.
constexpr std::size_t kSilentUnderWayMax = 16;
constexpr milliseconds kRetryFirst{100};
constexpr milliseconds kRetryLast{2'000};
constexpr milliseconds kRejectionCounts = kRetryLast + kRetryLast / 2;  // counts so long
constexpr seconds kRejectedMax{10};      // then a client's reply is given up
constexpr seconds kRejectedMaxKnown{5};  // if waiting was in vain before
// How long a queue that too much waits for may be silent. A quorum queue's election is over by
// then; a machine so busy that batches wait long for their answers gets more time.
constexpr seconds kWitnessAfter{3};
constexpr seconds kWitnessAfterMax{10};
constexpr int kWitnessAfterBatches = 20;
constexpr std::chrono::minutes kOthersSeen{10};
constexpr seconds kTellAfter{2};   // of a silent queue, in logs and probes
constexpr seconds kSilentMax{30};  // then a client's reply is kept by the service
// A message for a queue of the service's own is published again after so long without an answer:
// the answer may have been lost.
constexpr seconds kNoAnswerMax{30};
// After so long without an answer, another message probes the queue: a quorum queue that lost its
// leader may never answer what was under way, but has a new leader by then.
constexpr seconds kAskAgain{10};
constexpr seconds kByTurnsMax{40};  // then kept, also if silent and rejecting by turns
constexpr seconds kDeclareAgain{10};
constexpr seconds kStoodStill{2};        // no wait ends so late while the process runs
constexpr std::size_t kTrialsMax = 500;  // channels for queues that are tried again
}  // namespace

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
  assert(std::cmp_greater_equal(trouble.unsettled, -change) && trouble.unsettled <= all);
  trouble.unsettled =
      static_cast<std::size_t>(static_cast<std::ptrdiff_t>(trouble.unsettled) + change);
  all = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(all) + change);
  if (trouble.is_ours && change < 0) settled_.notify();
  observer_.waiting(held_up_);
}

void Settler::put_aside(Token token, Trouble& trouble) {
  Parcel& parcel = parcels_.at(token);
  const std::string& queue = parcel.outgoing.message.routing_key;
  assert(parcel.lane == nullptr && !parcel.is_waiting);
  leave_batch(parcel);
  const bool is_too_many = trouble.is_sure && !trouble.is_ours &&
                           trouble.unsettled > options_.waiting_of_queue_max &&
                           !is_the_only_one(queue);
  if (is_too_many && !trouble.is_silent && given_up_queues_.contains(queue)) {
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

// What is under way on replaced connections that answer, or that may have begun to at `since`.
std::unordered_set<Settler::Token> Settler::awaited_elsewhere(TimePoint since) const {
  const auto now = clock_.steady_now();
  std::unordered_set<Token> awaited;
  for (const Lane& lane : lanes_) {
    if (!lane.is_retired || lane.lost) continue;
    if (now - std::max(lane.last_progress, since) >= kSilentAfter) continue;
    for (const Sending& sending : lane.sent) awaited.insert(sending.token);
  }
  return awaited;
}

// The queue has taken a message: all that waits for it may go. But if the whole broker was stuck,
// its answers over the replaced connections come now, and these messages should not be published
// twice.
void Settler::recover(const std::string& queue) {
  if (troubles_.empty()) return;
  const auto trouble = troubles_.find(queue);
  if (trouble == troubles_.end()) return;
  expect_late_answers(queue);
  const auto now = clock_.steady_now();
  const TimePoint since = trouble->second.recovering_since.value_or(now);
  trouble->second.recovering_since = since;
  const auto awaited = awaited_elsewhere(since);
  std::deque<Token> waiting = std::exchange(trouble->second.waiting, {});
  std::ranges::copy_if(waiting, std::back_inserter(trouble->second.waiting),
                       [&](Token token) { return awaited.contains(token); });
  if (!trouble->second.waiting.empty()) {
    trouble->second.next_try = now + kSilentAfter;
    std::erase_if(waiting, [&](Token token) { return awaited.contains(token); });
    for (const Token token : waiting) {
      Parcel& parcel = parcels_.at(token);
      parcel.is_waiting = false;
      send(token, purpose_of(parcel.outgoing));
    }
    return;
  }
  if (trouble->second.was_told && log_limit_.admit(clock_.steady_now())) {
    spdlog::info("{}: queue {} takes messages again; {} waited", options_.queue, queue,
                 waiting.size());
  }
  for (const Token token : waiting) parcels_.at(token).is_waiting = false;
  count(trouble->second, -static_cast<std::ptrdiff_t>(trouble->second.unsettled));
  troubles_.erase(trouble);
  given_up_queues_.erase(queue);
  for (const Token token : waiting) send(token, purpose_of(parcels_.at(token).outgoing));
}

// The queue takes messages. Messages that it has not answered for long will be answered now or
// never.
void Settler::expect_late_answers(const std::string& queue) {
  const auto now = clock_.steady_now();
  for (auto& [token, parcel] : parcels_) {
    const bool is_unanswered = parcel.lane != nullptr && now - parcel.sent_at >= kAskAgain &&
                               parcel.outgoing.message.routing_key == queue;
    if (!is_unanswered || parcel.republish_at || parcel.was_republished) continue;
    parcel.republish_at = now + kSilentAfter;
    unanswered_.push_back(token);
  }
}

void Settler::republish_unanswered() {
  const auto now = clock_.steady_now();
  for (const Token token : std::exchange(unanswered_, {})) {
    const auto found = parcels_.find(token);
    if (found == parcels_.end()) continue;
    Parcel& parcel = found->second;
    const auto republish_at = parcel.republish_at;
    if (!republish_at) continue;  // kept since
    if (*republish_at > now) {
      unanswered_.push_back(token);
      continue;
    }
    parcel.republish_at.reset();
    if (parcel.lane == nullptr) continue;  // waits for another reason
    parcel.was_republished = true;
    parcel.lane = nullptr;
    dispatch(token);
  }
}

// Puts a client's reply into the service's own queue, from which it can be sent on.
void Settler::keep(Token token) {
  take_from_waiting(token);
  std::erase(suspects_, token);
  Parcel& parcel = parcels_.at(token);
  count(troubles_.at(parcel.outgoing.message.routing_key), -1);
  log_bad_reply(parcel.outgoing.message,
                fmt::format("{}: a reply to {} is kept in {}: its queue takes none", options_.queue,
                            parcel.outgoing.message.routing_key, options_.kept_queue));
  if (parcel.lane != nullptr) parcel.lane->holds_kept = true;
  parcel.outgoing = make_kept_reply(std::move(parcel.outgoing), options_.kept_queue,
                                    std::chrono::floor<std::chrono::microseconds>(clock_.now()));
  parcel.lane = nullptr;
  parcel.republish_at.reset();
  if (const auto trouble = troubles_.find(options_.kept_queue); trouble != troubles_.end()) {
    count(trouble->second, 1);
  }
  ++published_.kept;
  to_keep_.push_back(token);
  look_.notify();
}

void Settler::took_reply(const std::string& queue) {
  const auto now = clock_.steady_now();
  if (last_taker_ && last_taker_->queue == queue) {
    last_taker_->at = now;
  } else {
    other_taker_ = std::exchange(last_taker_, Taker{.queue = queue, .at = now});
  }
}

// It took replies, and no other queue did lately: so what waits for it holds up no other.
bool Settler::is_the_only_one(const std::string& queue) const {
  if (!last_taker_ || last_taker_->queue != queue) return false;
  return !other_taker_ || clock_.steady_now() - other_taker_->at >= kOthersSeen;
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

void Settler::leave_out(TimePoint::duration late) {
  if (late < kStoodStill) return;
  for (auto& [token, parcel] : parcels_) parcel.since += late;
  for (auto& [queue, trouble] : troubles_) trouble.since += late;
}

// Finds silent queues: those that do not answer though later messages to others were answered, and
// the first without an answer if nothing is answered.
void Settler::see_to_silence() {
  const auto now = clock_.steady_now();
  for (Lane& lane : lanes_) {
    if (lane.blocked || lane.lost || !lane.outlet) continue;
    const bool stands_still = now - lane.last_progress >= kSilentAfter;
    bool is_stuck = false;  // its messages for other queues are not answered either
    std::optional<std::string> first;
    std::size_t of_first = 0;
    std::map<std::string, std::size_t> silent;
    Tokens lost;
    for (const Sending& sending : lane.sent) {
      const Parcel* const found = find_under_way(lane, sending);
      if (found == nullptr || found->republish_at) continue;
      const Parcel& parcel = *found;
      if (now - parcel.sent_at < kSilentAfter) break;
      const std::string& queue = parcel.outgoing.message.routing_key;
      if (parcel.outgoing.must_arrive && now - parcel.sent_at >= kNoAnswerMax) {
        lost.push_back(sending.token);
      }
      const bool is_passed_over = parcel.place < lane.last_answered;
      if (is_passed_over || silent.contains(queue)) {
        ++silent[queue];
      } else if (stands_still && first.value_or(queue) == queue) {
        first = queue;
        ++of_first;
      } else if (stands_still && (parcel.outgoing.must_arrive || !troubles_.contains(queue))) {
        is_stuck = true;
      }
    }
    const bool can_move = lane.purpose != Purpose::retries && !lane.is_retired;
    // If others before or behind it are not answered either, the broker may wait for any of them,
    // or may have stopped reading: a channel that waits for one queue does not pass on the answers
    // of others.
    if (first && (!silent.empty() || lane.holds_kept)) is_stuck = true;
    if (first && !(is_stuck && can_move)) silent[*first] += of_first;
    std::size_t most = 0;
    for (const auto& [queue, count] : silent) {
      mark_silent(queue);
      most = std::max(most, count);
    }
    for (const Token token : lost) {
      Parcel& parcel = parcels_.at(token);
      const auto trouble = troubles_.find(parcel.outgoing.message.routing_key);
      if (trouble == troubles_.end()) continue;
      parcel.lane = nullptr;
      put_aside(token, trouble->second);
    }
    if (can_move && (is_stuck || most >= kSilentUnderWayMax ||
                     (lane.purpose == Purpose::suspects && most > 0))) {
      retire(lane);
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
  Trouble& silent = trouble(queue, is_ours);
  silent.is_silent = true;
  silent.recovering_since.reset();
}

void Settler::tell_of(const std::string& queue, Trouble& trouble, std::string_view what) {
  if (trouble.is_ours || trouble.was_told) return;
  trouble.was_told = true;
  if (log_limit_.admit(clock_.steady_now())) {
    spdlog::warn("{}: queue {} {}: its replies wait, others go on", options_.queue, queue, what);
  }
}

void Settler::see_to_waiting() {
  const auto now = clock_.steady_now();
  for (Lane& lane : lanes_) {
    if (!lane.is_retired) kick(lane);
  }
  if (troubles_.empty()) return;
  // Queues with a message under way that may still show when they answer again.
  std::map<std::string, Tokens> of_queue;
  std::set<std::string> asked;
  for (const auto& [token, parcel] : parcels_) {
    const auto found = troubles_.find(parcel.outgoing.message.routing_key);
    if (found == troubles_.end()) continue;
    const bool is_asking =
        parcel.lane != nullptr && (now - parcel.sent_at < kAskAgain || parcel.lane->blocked);
    if (is_asking) asked.insert(found->first);
    if (!found->second.is_ours) of_queue[found->first].push_back(token);
  }
  // If it is too much in total, each queue keeps an equal share.
  const std::size_t share = held_up_ > options_.waiting_max ? options_.waiting_max / of_queue.size()
                                                            : options_.waiting_of_queue_max;
  for (auto& [queue, tokens] : of_queue) {
    std::ranges::sort(tokens);
    bound_waiting(
        queue, tokens,
        is_the_only_one(queue) ? tokens.size() : std::min(share, options_.waiting_of_queue_max));
  }
  auto trials = static_cast<std::size_t>(std::ranges::count_if(
      lanes_, [](const Lane& lane) { return lane.purpose == Purpose::retries; }));
  for (auto& [queue, trouble] : troubles_) {
    if (trouble.waiting.empty() || asked.contains(queue) || trouble.next_try > now) continue;
    if (trials++ >= kTrialsMax) break;
    const Token token = trouble.waiting.front();
    trouble.next_try = now + trouble.backoff.next();
    take_from_waiting(token);
    if (is_direct_reply(queue)) {
      suspects_.push_back(token);  // it may cost a connection, which others must not share
    } else {
      try_again(token);
    }
  }
  // A queue that nothing waits for, and that was not tried for long, is forgotten: perhaps it
  // works.
  std::erase_if(troubles_, [&](const auto& entry) {
    return entry.second.unsettled == 0 && !asked.contains(entry.first) &&
           (entry.second.is_ours || now - entry.second.next_try >= kSilentMax);
  });
}

// Settles what has waited too long for a client's queue and, if too much waits, the latest.
void Settler::bound_waiting(const std::string& queue, const Tokens& tokens, std::size_t share) {
  Trouble& trouble = troubles_.at(queue);
  const bool is_silent = trouble.is_silent;
  const seconds patience = is_silent                          ? kSilentMax
                           : given_up_queues_.contains(queue) ? kRejectedMaxKnown
                                                              : kRejectedMax;
  const auto now = clock_.steady_now();
  if (is_silent && now - trouble.since >= kTellAfter) {
    tell_of(queue, trouble, "does not answer; see whether it has a leader");
  }
  trouble.is_sure =
      trouble.is_sure || (trouble.witness != 0 && !parcels_.contains(trouble.witness));
  // If nothing could be published for a while, it is unknown whether the queue still rejects.
  const bool is_known = is_silent || now - trouble.last_rejection <= kRejectionCounts;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Parcel& parcel = parcels_.at(tokens[i]);
    // Before that, a reply may have waited for a broker that took no messages.
    const bool is_overdue = is_known && now - std::max(parcel.since, trouble.since) >= patience;
    // If a queue is silent and rejects by turns, neither lasts long enough.
    const bool is_ancient = now - parcel.since >= kByTurnsMax;
    const bool is_too_much = i >= share && trouble.is_sure;
    if (is_ancient || (is_silent && (is_overdue || is_too_much))) {
      keep(tokens[i]);
    } else if (!is_silent && (is_overdue || is_too_much) && parcel.lane == nullptr) {
      remember(given_up_queues_, queue);
      give_up(tokens[i], "its queue keeps rejecting");
    }
  }
  const bool needs_witness = tokens.size() > share && !trouble.is_sure && trouble.witness == 0;
  const auto witness_after = std::clamp<TimePoint::duration>(kWitnessAfterBatches * usual_,
                                                             kWitnessAfter, kWitnessAfterMax);
  if (is_silent && needs_witness && now - trouble.since >= witness_after) {
    trouble.witness = tokens.back();
    keep(tokens.back());
  }
}

void Settler::update_texts() {
  std::optional<std::string> text;
  const auto now = clock_.steady_now();
  for (const auto& [queue, trouble] : troubles_) {
    if (!trouble.is_ours || (trouble.is_silent && now - trouble.since < kTellAfter)) continue;
    text = fmt::format("queue {} {}", queue,
                       trouble.is_silent ? "does not answer" : "rejects messages");
    rejections_.warn(queue, fmt::format("{}: {}: {} answers wait; make room there, or see whether "
                                        "it has a leader",
                                        options_.queue, *text, trouble.waiting.size()));
    break;
  }
  if (troubles_.empty()) rejections_.reset();
  if (!text) text = announcer_.trouble();
  if (text != trouble_text_) {
    trouble_text_ = std::move(text);
    events_.on_change();
  }
}

}  // namespace inventory::service
