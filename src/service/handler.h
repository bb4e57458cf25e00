#pragma once

// Handler: one kind of request, from deliveries to answers: parse, decide and commit, reply.
//
// A kind of request is a type with a parser and a reply around a command of the domain (see
// orders.h, items.h); BatchHandler makes a Handler of it, kinds.h gives it a queue.
//
// Invariants:
//   1. One answer a delivery, once; what cannot be decided now is kept until it can.
//   2. What the database does not do for one request costs that request: it is found by parts, and
//      the others are decided. Where repeating is useless it is answered as invalid and
//      dead-lettered at once. Otherwise it is put aside, tried again ahead of later requests for
//      its products, and dead-lettered only after minutes in which others passed.
//   3. With an outage nothing of what was not answered is decided, or it is not known; the ledger
//      tells when it is tried again.
//   4. Nobody waits for what was put aside: it is tried in transactions of its own, beside the
//      others. Only where as much is put aside as may be, others wait, for seconds.
//
// Threads: one executor. answer() and try_again() may run at the same time, each once.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "amqp/message.h"
#include "contract/request_error.h"
#include "domain/command.h"
#include "log/fields.h"
#include "log/limit.h"
#include "service/answer.h"
#include "service/backlog.h"
#include "service/broker.h"
#include "service/clock.h"
#include "service/observer.h"
#include "store/store.h"

namespace inventory::service {

// What became of deliveries so far. Where the database as a whole cannot work, `outage` says why,
// and those without an answer wait.
struct Answered {
  std::vector<Answer> answers;  // in the order of arrival
  std::optional<store::Error> outage;
};

class Handler {
 public:
  Handler() = default;
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;
  virtual ~Handler() = default;

  // Decides the deliveries, and those of earlier calls that an outage has left.
  virtual Task<Answered> answer(std::vector<amqp::Delivery> deliveries) = 0;

  // Tries those that were put aside and are due, in a transaction of their own beside that of
  // answer(): however long it takes, nobody else waits for it. May be cancelled where the link is
  // given up.
  virtual Task<std::vector<Answer>> try_again() = 0;

  // Those that wait, because of an outage or put aside.
  virtual std::size_t undecided() const = 0;

  // Whether as many are put aside as may be: no more should be passed until some are decided.
  virtual bool is_full() const = 0;

  // When try_again() has something to do; nothing if none was put aside, or during an outage.
  virtual std::optional<std::chrono::steady_clock::time_point> next_try() const = 0;

  // Why, where requests are put aside and none was decided since the first of them failed, for ten
  // seconds (it may be more than those requests); or where it is full.
  virtual std::optional<std::string> suspicion() const = 0;

  // The link is lost: what waits will be delivered again.
  virtual void forget() = 0;
};

struct HandlerOptions {
  std::string queue;               // where the requests come from
  ReplyQueue reply_queue;          // where replies go whose request names no reply_to
  std::size_t bytes_max = 65'536;  // of a request's body
  std::size_t aside_max = 1'000;   // requests put aside, with those that wait behind them
};

// How long a request may fail by itself while others pass. What is locked passes by itself, so it
// may take longer; both are well below RabbitMQ's consumer timeout of 30 minutes.
inline constexpr std::chrono::minutes kFailingMax{3};
inline constexpr std::chrono::minutes kLockedMax{10};
// The same where as many are put aside as may be, and others wait for that.
inline constexpr std::chrono::seconds kLockedMaxInTheWay{5};

template <class Kind>
class BatchHandler : public Handler {
 public:
  // Store, clock and observer outlive the handler.
  BatchHandler(HandlerOptions options, store::Store& store, const Clock& clock,
               Observer& observer = Observer::none())
      : options_(std::move(options)), store_(store), clock_(clock), observer_(observer) {}

  Task<Answered> answer(std::vector<amqp::Delivery> deliveries) override {
    Answered answered;
    answered.answers.reserve(deliveries.size());
    std::vector<typename Kind::Message> messages;
    std::vector<domain::Command> requests;
    std::vector<std::size_t> places;  // of the requests
    messages.reserve(deliveries.size());
    requests.reserve(deliveries.size());
    places.reserve(deliveries.size());
    for (const amqp::Delivery& delivery : deliveries) {
      messages.push_back(Kind::read(delivery, options_.bytes_max));
      if (const auto error = error_of(delivery, messages.back())) {
        answered.answers.push_back(invalid_answer(delivery, messages.back(), *error));
      } else {
        places.push_back(messages.size() - 1);
        requests.push_back(Kind::command(messages.back(), delivery, clock_.now()));
      }
    }
    std::optional<store::Error> failed;
    bool is_decided = requests.empty();
    if (!is_decided && backlog_.size() == 0) {
      auto decisions = co_await decide(batch_, requests, store::Locks::wait);
      is_decided = decisions.has_value();
      for (std::size_t i = 0; is_decided && i < places.size(); ++i) {
        answered.answers.push_back(
            decided_answer(deliveries[places[i]], messages[places[i]], (*decisions)[i]));
      }
      if (!is_decided) failed = std::move(decisions.error());
    }
    Ids kept;
    for (std::size_t i = 0; !is_decided && i < places.size(); ++i) {
      kept.push_back(keep(std::move(deliveries[places[i]]), std::move(requests[i])));
    }
    if (failed && !concerns_requests(failed->fault)) {
      answered.outage = std::move(failed);
    } else if (backlog_.size() > 0) {
      const bool is_locked = failed && failed->fault == store::Fault::locked;
      if (failed && !is_locked && is_slow(batch_, kept)) {
        backlog_.suspect(kept, *failed, clock_.steady_now());
      }
      answered.outage = co_await work_off_backlog(
          is_locked ? store::Locks::skip : store::Locks::wait, answered.answers);
    }
    has_outage_ = answered.outage.has_value();
    finish(answered.answers);
    co_return answered;
  }

  Task<std::vector<Answer>> try_again() override {
    std::vector<Answer> answers;
    auto due = backlog_.due(clock_.steady_now());
    const bool again = due.first.empty();  // those have only waited behind one that is decided now
    Ids ids = std::move(again ? due.again : due.first);
    ids.resize(std::min(ids.size(), beside_max_));
    beside_max_ = std::min(2 * beside_max_, store::kBatchMax);
    const store::Locks locks = again ? locks_for(ids) : store::Locks::wait;
    const auto outage = co_await try_all(beside_, ids, locks, answers);
    if (outage) not_before_ = clock_.steady_now() + kOutagePause;  // answer() will meet it, too
    refuse_overdue(answers);
    finish(answers);
    co_return answers;
  }

  std::size_t undecided() const override { return backlog_.size(); }
  bool is_full() const override { return backlog_.size() >= options_.aside_max; }
  std::optional<std::chrono::steady_clock::time_point> next_try() const override {
    if (has_outage_ || backlog_.size() == 0) return std::nullopt;
    const auto now = clock_.steady_now();
    const auto next = backlog_.due(now).first.empty() ? backlog_.next_try() : std::optional(now);
    return next ? std::optional(std::max(*next, not_before_)) : std::nullopt;
  }

  std::optional<std::string> suspicion() const override {
    const auto failures = backlog_.failures();
    const bool is_odd = !failures.empty() && !have_passed_since(failures.front().second->first) &&
                        clock_.steady_now() - failures.front().second->first >= kSuspicionAfter;
    if (failures.empty() || !(is_odd || is_full())) return std::nullopt;
    return fmt::format("{} requests wait for the database: {}", backlog_.size(),
                       failures.front().second->error.what);
  }

  void forget() override {
    backlog_.clear();
    kept_.clear();
    has_outage_ = false;
  }

 private:
  using Id = Backlog::Id;
  using Ids = std::vector<Id>;

  // A request that waits. Its message points into its delivery.
  struct Kept {
    Kept(amqp::Delivery of, domain::Command what, std::size_t bytes_max)
        : delivery(std::move(of)),
          message(Kind::read(delivery, bytes_max)),
          request(std::move(what)) {}
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;

    amqp::Delivery delivery;
    typename Kind::Message message;
    domain::Command request;
  };

  static constexpr std::chrono::seconds kSuspicionAfter{10};
  static constexpr std::chrono::seconds kOutagePause{1};
  // What took so long to fail is not taken apart while others wait: a batch beside the flow, and
  // there by half as many a call, until few enough are tried.
  static constexpr std::chrono::milliseconds kSlowFailure{200};
  // So many conflicts in a row are no chance: something in the batch always meets one.
  static constexpr int kConflictsMax = 8;
  // Each so many failures on a lock it is awaited instead of skipped: other instances may be
  // queueing for it.
  static constexpr int kPatientFailure = 8;

  // Who tries: answer() or, beside it, try_again().
  struct Trier {
    bool is_beside = false;
    int conflicts = 0;      // since it has passed last
    bool is_split = false;  // to find the request that always meets a conflict
    std::chrono::steady_clock::duration last_took{};
  };

  // Whether an error is about some of the requests, rather than about the database.
  static bool concerns_requests(store::Fault fault) {
    return fault == store::Fault::refused || fault == store::Fault::failing ||
           fault == store::Fault::locked;
  }

  static std::optional<contract::RequestError> error_of(const amqp::Delivery& delivery,
                                                        const typename Kind::Message& message) {
    if (delivery.undecodable) {
      return contract::RequestError{contract::RequestError::Reason::invalid,
                                    "the message cannot be decoded: " + *delivery.undecodable};
    }
    const auto* error = Kind::error(message);
    return error == nullptr ? std::nullopt : std::optional(*error);
  }

  Id keep(amqp::Delivery&& delivery, domain::Command&& request) {
    const Id id = backlog_.add(domain::products_of(request), clock_.steady_now());
    kept_.try_emplace(id, std::move(delivery), std::move(request), options_.bytes_max);
    return id;
  }

  // Whether these failed so slowly that others should not wait until the cause is found.
  static bool is_slow(const Trier& trier, const Ids& ids) {
    return ids.size() > 1 && trier.last_took >= kSlowFailure;
  }

  Task<store::Result<std::vector<domain::Decision>>> decide(
      Trier& trier, std::span<const domain::Command> requests, store::Locks locks) {
    const auto since = clock_.steady_now();
    auto decisions = co_await store_.decide(requests, locks);
    const auto now = clock_.steady_now();
    std::optional<store::Fault> fault;
    if (!decisions) fault = decisions.error().fault;
    observer_.transaction(now - since, fault);
    trier.last_took = now - since;
    if (decisions) {
      last_passed_ = now;
      trier.conflicts = 0;
    } else if (fault == store::Fault::retryable) {
      ++trier.conflicts;
    }
    co_return decisions;
  }

  // Tries what waits and has not failed by itself, until all is decided or waits.
  Task<std::optional<store::Error>> work_off_backlog(store::Locks locks,
                                                     std::vector<Answer>& answers) {
    batch_.is_split = batch_.conflicts >= kConflictsMax;
    for (;;) {
      const Ids ids = backlog_.due(clock_.steady_now()).first;
      if (ids.empty()) break;
      auto outage = co_await try_all(batch_, ids, locks, answers);
      if (outage) co_return outage;
    }
    refuse_overdue(answers);
    co_return std::nullopt;
  }

  store::Locks locks_for(const Ids& ids) const {
    const bool is_patient = std::ranges::any_of(ids, [this](Id id) {
      const auto* failure = backlog_.failure(id);
      return failure->error.fault == store::Fault::locked && failure->count > 0 &&
             failure->count % kPatientFailure == 0;
    });
    return is_patient ? store::Locks::wait : store::Locks::skip;
  }

  // Afterwards each is answered, or failed, or waits behind one that failed; unless there is an
  // outage.
  Task<std::optional<store::Error>> try_all(Trier& trier, const Ids& ids, store::Locks locks,
                                            std::vector<Answer>& answers) {
    backlog_.take(ids);
    auto outage = co_await try_parts(trier, ids, locks, answers);
    backlog_.give_back(ids);
    co_return outage;
  }

  // NOLINTNEXTLINE(misc-no-recursion): halves, so it is as deep as a batch has binary digits
  Task<std::optional<store::Error>> try_parts(Trier& trier, Ids ids, store::Locks locks,
                                              std::vector<Answer>& answers) {
    ids = backlog_.unblocked(ids);
    if (ids.empty()) co_return std::nullopt;
    std::vector<domain::Command> requests;
    requests.reserve(ids.size());
    for (const Id id : ids) requests.push_back(kept_.at(id).request);
    auto decisions = co_await decide(trier, requests, locks);
    if (decisions) {
      for (std::size_t i = 0; i < ids.size(); ++i) take_answer(ids[i], (*decisions)[i], answers);
      co_return std::nullopt;
    }
    store::Error& error = decisions.error();
    const bool always_conflicts =
        error.fault == store::Fault::retryable && (trier.is_beside || trier.is_split);
    if (!concerns_requests(error.fault) && !always_conflicts) co_return std::move(error);
    if (const auto named = backlog_.for_products(ids, error.products); !named.empty()) {
      co_return co_await try_others(trier, std::move(ids), named, std::move(error), locks, answers);
    }
    if (error.fault == store::Fault::locked && locks == store::Locks::wait) {
      co_return co_await try_parts(trier, std::move(ids), store::Locks::skip, answers);
    }
    if (is_slow(trier, ids)) {
      beside_max_ = ids.size() / 2;
      backlog_.suspect(ids, error, clock_.steady_now());
      co_return std::nullopt;
    }
    if (ids.size() == 1) {
      fail(ids.front(), std::move(error), trier.last_took, answers);
      co_return std::nullopt;
    }
    const auto middle = ids.begin() + static_cast<std::ptrdiff_t>(ids.size() / 2);
    auto outage = co_await try_parts(trier, Ids(ids.begin(), middle), locks, answers);
    if (outage) co_return outage;
    co_return co_await try_parts(trier, Ids(middle, ids.end()), locks, answers);
  }

  // For each product that an error names, its first request fails; the others wait behind it.
  // NOLINTNEXTLINE(misc-no-recursion): see try_parts
  Task<std::optional<store::Error>> try_others(Trier& trier, Ids ids, const Ids& named,
                                               store::Error error, store::Locks locks,
                                               std::vector<Answer>& answers) {
    for (const Id id : named) {
      if (!backlog_.unblocked(std::span(&id, 1)).empty()) {
        fail(id, error, trier.last_took, answers);
      }
    }
    Ids others;
    std::ranges::set_difference(ids, named, std::back_inserter(others));
    co_return co_await try_parts(trier, std::move(others), locks, answers);
  }

  void finish(std::vector<Answer>& answers) {
    if (!std::ranges::is_sorted(answers, {}, &Answer::delivery_tag)) {
      std::ranges::sort(answers, {}, &Answer::delivery_tag);
    }
    observer_.put_aside(backlog_.failures().empty() ? 0 : backlog_.size());
  }

  void fail(Id id, store::Error error, std::chrono::steady_clock::duration took,
            std::vector<Answer>& answers) {
    if (error.fault == store::Fault::refused) {
      refuse(id, error.what, "invalid", answers);
      return;
    }
    const Kept& kept = kept_.at(id);
    if (const auto left_out = log_limit_.admit(clock_.steady_now())) {
      log::write(spdlog::level::warn, fields(kept.delivery, kept.message),
                 "{}: a request waits, others go on: {}{}", options_.queue, error.what,
                 left_out_text(*left_out));
    }
    backlog_.failed(id, std::move(error), clock_.steady_now(), took);
  }

  void refuse_overdue(std::vector<Answer>& answers) {
    const auto now = clock_.steady_now();
    std::vector<std::pair<Id, std::string>> overdue;
    for (const auto& [id, failure] : backlog_.failures()) {
      // A lock or a conflict passes by itself.
      const bool is_failing = failure->error.fault == store::Fault::failing;
      const bool is_overdue = now - failure->first >= (is_failing ? kFailingMax : kLockedMax);
      const bool is_locked = failure->error.fault == store::Fault::locked;
      const bool is_in_the_way =
          is_full() && (is_failing || (is_locked && now - failure->first >= kLockedMaxInTheWay));
      const bool has_just_failed = failure->count > 0 && failure->next_try > now;
      // In the way of all others, none of them may have passed since it came.
      const bool have_passed = (is_overdue && have_passed_since(failure->first)) ||
                               (is_in_the_way && have_passed_since(failure->began));
      if (has_just_failed && have_passed && !backlog_.is_taken(id)) {
        overdue.emplace_back(id, failure->error.what);
        if (is_in_the_way && is_locked) make_room(id, failure->error.what, overdue);
      }
    }
    for (const auto& [id, why] : overdue) refuse(id, why, "refused", answers);
  }

  // Of what waits behind a request that is in the way of others, as much is to be refused, too.
  void make_room(Id id, const std::string& why, std::vector<std::pair<Id, std::string>>& overdue) {
    for (const Id behind : backlog_.behind(id)) {
      if (4 * (backlog_.size() - overdue.size()) <= 3 * options_.aside_max) break;
      const bool is_told =
          std::ranges::any_of(overdue, [behind](const auto& one) { return one.first == behind; });
      if (is_told) continue;
      overdue.emplace_back(behind, why);
    }
  }

  bool have_passed_since(std::chrono::steady_clock::time_point when) const {
    return last_passed_ && *last_passed_ > when;
  }

  void take_answer(Id id, const domain::Decision& decision, std::vector<Answer>& answers) {
    const Kept& kept = kept_.at(id);
    answers.push_back(decided_answer(kept.delivery, kept.message, decision));
    backlog_.remove(id);
    kept_.erase(id);
  }

  void refuse(Id id, const std::string& why, std::string_view reason,
              std::vector<Answer>& answers) {
    const Kept& kept = kept_.at(id);
    if (const auto left_out = log_limit_.admit(clock_.steady_now())) {
      log::write(spdlog::level::err, fields(kept.delivery, kept.message),
                 "{}: the database refuses a request, which is dead-lettered: {}{}", options_.queue,
                 why, left_out_text(*left_out));
    }
    answers.push_back(
        invalid(kept.delivery, kept.message, reason, "the database refuses it", Outcome::refused));
    if (backlog_.failure(id) != nullptr) {
      backlog_.give_up(id, clock_.steady_now());
    } else {
      backlog_.remove(id);
    }
    kept_.erase(id);
  }

  Answer decided_answer(const amqp::Delivery& delivery, const typename Kind::Message& message,
                        const domain::Decision& decision) {
    const Outcome outcome = domain::outcome_of(decision);
    const bool is_replayed = domain::is_replayed(decision);
    if constexpr (requires { &Kind::why_invalid; }) {
      // Not so by itself, but with the stock that there is: nothing was stored.
      if (outcome == Outcome::invalid) {
        return invalid(delivery, message, "invalid", Kind::why_invalid(message, decision), outcome);
      }
    }
    if (domain::may_be_another_line(decision)) tell_of_another_line(delivery, message);
    if (spdlog::should_log(spdlog::level::debug)) {
      log::write(spdlog::level::debug, fields(delivery, message), "{}: {}{}", options_.queue,
                 is_replayed ? "decided before: " : "", domain::row_of(outcome).text);
    }
    return {.delivery_tag = delivery.delivery_tag,
            .received_at = delivery.received_at,
            .reply = make_reply(delivery, Kind::reply(message, decision), is_replayed,
                                options_.reply_queue),
            .dead_letter = std::nullopt,
            .outcome = outcome,
            .replayed = is_replayed};
  }

  // Two lines of one order for one product, which lack a line_id, look like one that is repeated.
  void tell_of_another_line(const amqp::Delivery& delivery, const typename Kind::Message& message) {
    observer_.repeated_with_another_message_id();
    if (const auto left_out = line_log_limit_.admit(clock_.steady_now())) {
      log::write(spdlog::level::warn, fields(delivery, message),
                 "{}: an order without line_id is repeated in a message with another message_id: "
                 "if it is a second line for the same product it needs a line_id, for it was "
                 "answered as the first and took no stock{}",
                 options_.queue, left_out_text(*left_out));
    }
  }

  Answer invalid_answer(const amqp::Delivery& delivery, const typename Kind::Message& message,
                        const contract::RequestError& error) {
    const bool too_large = error.reason == contract::RequestError::Reason::too_large;
    const auto* reason = too_large ? "too-large" : "invalid";
    if (const auto left_out = log_limit_.admit(clock_.steady_now())) {
      log::write(spdlog::level::warn, fields(delivery, message),
                 "{}: a request is {} and dead-lettered: {}{}", options_.queue, reason, error.what,
                 left_out_text(*left_out));
    }
    return invalid(delivery, message, reason, error.what,
                   too_large ? Outcome::too_large : Outcome::invalid);
  }

  static std::string left_out_text(std::size_t left_out) {
    return left_out > 0 ? fmt::format("; {} like it were not logged", left_out) : "";
  }

  Answer invalid(const amqp::Delivery& delivery, const typename Kind::Message& message,
                 std::string_view reason, std::string_view what, Outcome outcome) const {
    return {.delivery_tag = delivery.delivery_tag,
            .received_at = delivery.received_at,
            .reply = make_reply(delivery, Kind::invalid_reply(message, what), false,
                                options_.reply_queue),
            .dead_letter = make_dead_letter(delivery, options_.queue, reason, what, clock_.now()),
            .outcome = outcome};
  }

  // What a log record about a request says of it.
  log::Fields fields(const amqp::Delivery& delivery, const typename Kind::Message& message) const {
    log::Fields fields = Kind::fields(message);
    fields.queue = options_.queue;
    fields.trace_id = trace_id(delivery.properties);
    return fields;
  }

  HandlerOptions options_;
  store::Store& store_;
  const Clock& clock_;
  Observer& observer_;
  Backlog backlog_;
  std::map<Id, Kept> kept_;  // those of the backlog
  std::optional<std::chrono::steady_clock::time_point> last_passed_;
  Trier batch_;
  Trier beside_{.is_beside = true};
  std::size_t beside_max_ = store::kBatchMax;  // to be tried at once
  bool has_outage_ = false;
  std::chrono::steady_clock::time_point not_before_{};  // of try_again()
  log::Limit log_limit_{10, std::chrono::seconds(10)};  // clients decide how many are invalid
  log::Limit line_log_limit_{1, std::chrono::seconds(60)};
};

}  // namespace inventory::service
