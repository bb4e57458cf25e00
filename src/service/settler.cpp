#include "service/settler.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "contract/order_message.h"

namespace inventory::service {
namespace {

using std::chrono::milliseconds;

// After no answer for twice the time that a batch usually takes, within these bounds, a batch
// leaves its unanswered messages behind. If shorter, a busy broker would make batches small, which
// slows all of them; if longer, all would wait for a queue that is about to be found silent.
constexpr milliseconds kMoveOnMin{20};
constexpr milliseconds kMoveOnMax{200};
constexpr int kBatchesRemembered = 8;
constexpr milliseconds kLookEach{100};  // while something is under way
// Messages for its own queues are not given up; beyond this number, answers wait.
constexpr std::size_t kHeldUpHereMax = 500;
constexpr std::size_t kEventsUnsettledMax = 500;

milliseconds until(std::chrono::steady_clock::time_point when,
                   std::chrono::steady_clock::time_point now) {
  return std::max(milliseconds(1), std::chrono::ceil<milliseconds>(when - now));
}

}  // namespace

Settler::Settler(const boost::asio::any_io_executor& executor, SettlerOptions options, Clock& clock,
                 Events events, Observer& observer)
    : executor_(executor),
      options_(std::move(options)),
      dead_letter_queue_(dead_letter_queue(options_.queue)),
      clock_(clock),
      events_(std::move(events)),
      observer_(observer),
      settled_(executor, clock),
      look_(executor, clock),
      announcer_(
          executor,
          {.queue = options_.queue, .exchange = options_.events_exchange, .seed = options_.seed},
          clock,
          {.on_settled = [this](contract::Topic topic,
                                std::uint64_t request) { on_event_settled(topic, request); },
           .on_change =
               [this] {
                 update_blocked();
                 update_texts();
               }}),
      rejections_(clock) {}

Task<amqp::Result<void>> Settler::begin(Link& link) {
  link_ = &link;
  announcer_.begin(link);
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
  events_in_batch_ = 0;
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
  const auto patience = std::clamp<TimePoint::duration>(2 * usual_, kMoveOnMin, kMoveOnMax);
  const auto has_no_room = [this] {
    const bool is_full =
        held_up_here_ >= kHeldUpHereMax || announcer_.unsettled() >= kEventsUnsettledMax;
    return is_full && !is_stopping_;
  };
  while (!failure_ && (in_batch_ > 0 || events_in_batch_ > 0 || has_no_room())) {
    const auto now = clock_.steady_now();
    const auto moves_on_at = std::max(begun, last_answer_) + patience;
    const bool must_wait = blocked_ || has_no_room();
    if (!must_wait && now >= moves_on_at) break;
    co_await settled_.wait(must_wait ? std::nullopt : std::optional(until(moves_on_at, now)));
  }
  // If no answer came, it takes longer than that.
  const auto took = (last_answer_ > begun ? last_answer_ : clock_.steady_now()) - begun;
  usual_ += (took - usual_) / kBatchesRemembered;
  is_in_settle_ = false;
  observer_.published(std::exchange(published_, {}));
  co_return failure_;
}

Task<std::optional<std::string>> Settler::tend() {
  while (!failure_ && !is_ending_) {
    if (see_to_losses()) continue;
    republish_unanswered();
    see_to_silence();
    see_to_waiting();
    try_suspects();
    if (!to_keep_.empty()) co_await declare_kept_queue();
    forget_old_lanes();
    announcer_.look();
    update_blocked();
    update_texts();
    tell_late();
    if (failure_ || is_ending_) break;
    const auto next = next_look();
    is_idle_ = !next;
    const auto began = clock_.steady_now();
    co_await look_.wait(next);
    is_idle_ = false;
    if (next) leave_out(clock_.steady_now() - began - *next);
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
    if (announcer_.unsettled() > 0 && !announcer_.trouble()) return true;
    return std::ranges::any_of(parcels_, [this](const auto& parcel) {
      return parcel.second.lane != nullptr &&
             !troubles_.contains(parcel.second.outgoing.message.routing_key);
    });
  };
  // While the broker takes nothing, a new link would not help: it would only redeliver all requests
  // in hand, again and again.
  const auto may_wait = [&] {
    return clock_.steady_now() < deadline || (blocked_ && !is_stopping_);
  };
  while (!failure_ && is_under_way() && may_wait()) {
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
    // On one that the broker does not read, closing gracefully would wait in vain.
    const bool is_read = !lane.is_retired && lane.purpose != Purpose::retries;
    if (in_order && is_read && lane.outlet && !lane.lost) co_await lane.outlet->close();
  }
  while (running_ > 0) co_await settled_.wait(std::nullopt);
  assert(std::ranges::none_of(lanes_, &Lane::is_sending));
  co_await announcer_.end(in_order);
  lanes_.clear();
  is_in_settle_ = false;
  parcels_.clear();
  requests_.clear();
  unanswered_.clear();
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

Settler::Purpose Settler::purpose_of(const Outgoing& outgoing) const {
  const bool is_sound = outgoing.must_arrive || proven_.contains(outgoing.message.routing_key);
  return is_sound ? Purpose::replies : Purpose::unproven;
}

void Settler::admit(Answer answer) {
  const std::uint64_t tag = answer.delivery_tag;
  assert(!requests_.contains(tag));
  requests_.emplace(tag, Request{.received_at = answer.received_at,
                                 .outcome = answer.outcome,
                                 .replayed = answer.replayed,
                                 .unsettled = answer.events.size() + (answer.reply ? 1U : 0U) +
                                              (answer.dead_letter ? 1U : 0U),
                                 .batch = batch_});
  if (answer.reply) add(std::move(*answer.reply), tag);
  if (answer.dead_letter) add(std::move(*answer.dead_letter), tag);
  events_in_batch_ += answer.events.size();
  for (contract::Event& event : answer.events) announcer_.add(std::move(event), tag);
  finish_request(tag);
}

// Only if all its messages are settled.
void Settler::finish_request(std::uint64_t tag) {
  const auto request = requests_.find(tag);
  if (request == requests_.end() || request->second.unsettled > 0) return;
  events_.on_settled({.delivery_tag = request->first,
                      .received_at = request->second.received_at,
                      .outcome = request->second.outcome,
                      .replayed = request->second.replayed});
  requests_.erase(request);
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
  const Parcel& parcel = parcels_.at(token);
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
  assert(in_batch_ > 0);
  if (--in_batch_ == 0 && is_in_settle_) settled_.notify();
}

void Settler::complete(Token token) {
  const auto parcel = parcels_.find(token);
  assert(parcel != parcels_.end());
  leave_batch(parcel->second);
  take_from_waiting(token);
  if (const auto trouble = troubles_.find(parcel->second.outgoing.message.routing_key);
      trouble != troubles_.end()) {
    count(trouble->second, -1);
  }
  const auto request = requests_.find(parcel->second.request);
  assert(request != requests_.end() && request->second.unsettled > 0);
  parcels_.erase(parcel);
  const bool is_last = --request->second.unsettled == 0;
  finish_request(request->first);
  if (is_last && !is_in_settle_) look_.notify();
}

void Settler::on_event_settled(contract::Topic topic, std::uint64_t tag) {
  ++published_.events.at(static_cast<std::size_t>(topic));
  last_answer_ = clock_.steady_now();
  const auto request = requests_.find(tag);
  if (request->second.batch == batch_) --events_in_batch_;
  const bool is_last = --request->second.unsettled == 0;
  finish_request(tag);
  if (is_in_settle_) {
    settled_.notify();
  } else if (is_last) {
    look_.notify();
  }
}

void Settler::give_up(Token token, std::string_view why) {
  const amqp::Message& message = parcels_.at(token).outgoing.message;
  log_bad_reply(message, fmt::format("{}: a reply to {} is given up: {}", options_.queue,
                                     message.routing_key, why));
  ++published_.given_up;
  complete(token);
}

void Settler::on_answer(Lane& lane, Token token, amqp::Settlement settlement) {
  last_answer_ = lane.last_progress = clock_.steady_now();
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
    const Sending& first = lane.sent.front();
    const bool is_awaited = find_under_way(lane, first) != nullptr ||
                            (lane.is_retired && parcels_.contains(first.token));
    if (is_awaited) break;
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
      if (!must_arrive && !proven_.contains(queue)) remember(proven_, queue);
      if (!must_arrive) took_reply(queue);
      if (must_arrive && queue == dead_letter_queue_) {
        observer_.dead_lettered(parcel.outgoing.message);
      }
      complete(token);
      recover(queue);
      break;
    case amqp::Settlement::returned:
      if (must_arrive) {
        fail(fmt::format("queue {} of the service's own is gone", queue));
        return;
      }
      ++published_.returned;
      if (spdlog::should_log(spdlog::level::debug)) {
        log::write(spdlog::level::debug, fields(parcel.outgoing.message),
                   "{}: reply queue {} is gone", options_.queue, queue);
      }
      complete(token);
      recover(queue);
      break;
    case amqp::Settlement::too_large:
      if (drop_foreign_headers(parcel.outgoing.message)) {
        log_bad_reply(
            parcel.outgoing.message,
            fmt::format("{}: a dead letter leaves out its headers, which do not fit in a frame",
                        options_.queue));
        send(token, Purpose::replies);
      } else {
        give_up(token, "it does not fit in a frame");
      }
      break;
    case amqp::Settlement::rejected: {
      ++published_.rejected;
      Trouble& rejecting = trouble(queue, must_arrive);
      if (std::exchange(rejecting.is_silent, false)) rejecting.since = clock_.steady_now();
      rejecting.is_sure = true;
      rejecting.last_rejection = clock_.steady_now();
      tell_of(queue, rejecting, "rejects messages; make room there");
      put_aside(token, rejecting);
      break;
    }
  }
}

std::optional<milliseconds> Settler::next_look() const {
  const bool is_lost =
      std::ranges::any_of(lanes_, [](const Lane& lane) { return lane.lost && !lane.is_sending; });
  if (is_lost) return milliseconds(1);
  if (parcels_.empty() && announcer_.unsettled() == 0) return std::nullopt;
  return kLookEach;
}

void Settler::tell_late() {
  if (is_in_settle_) return;
  if (published_ != Published{}) observer_.published(std::exchange(published_, {}));
  events_.on_late();
}

// The request's fields in a log record about an answer.
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

void Settler::log_bad_reply(const amqp::Message& message, const std::string& text) {
  const auto left_out = log_limit_.admit(clock_.steady_now());
  if (!left_out) return;
  log::write(spdlog::level::err, fields(message), "{}{}", text,
             *left_out > 0 ? fmt::format("; {} like it were not logged", *left_out) : "");
}

}  // namespace inventory::service
