#include "service/batch_decider.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace inventory::service {
namespace {

using store::Fault;
using store::Locks;

constexpr std::chrono::seconds kSuspicionAfter{10};
constexpr std::chrono::seconds kOutagePause{1};
constexpr std::chrono::seconds kLookPause{1};
// A batch that took so long to fail is not split while others wait: it is tried beside the flow,
// and there with half as many requests per call, until few enough are tried.
constexpr std::chrono::milliseconds kSlowFailure{200};
// So many conflicts in a row are not chance: a request in the batch always meets one.
constexpr int kConflictsInARowMax = 4;
// After every so many failures on a lock, wait for the lock instead of skipping it: other instances
// may be queueing for it.
constexpr int kPatientFailure = 8;

// Whether an error is about some of the requests, rather than about the database.
bool concerns_requests(Fault fault) {
  return fault == Fault::refused || fault == Fault::failing || fault == Fault::locked;
}

bool has_written_stock(const domain::Decision& decision) {
  return !domain::is_replayed(decision) && row_of(domain::outcome_of(decision)).writes_stock;
}

// Whether these failed so slowly that others should not wait until the cause is found.
bool is_slow(std::chrono::steady_clock::duration took, std::size_t requests) {
  return requests > 1 && took >= kSlowFailure;
}

}  // namespace

Task<store::Result<std::vector<domain::Decision>>> BatchDecider::decide_whole(
    std::span<const domain::Command> requests, std::vector<domain::StockNews>& news) {
  return ask_store(batch_, requests, Locks::wait, news);
}

BatchDecider::Id BatchDecider::keep(domain::Command request) {
  const Id id = backlog_.add(domain::products_of(request), clock_.steady_now());
  requests_.emplace(id, std::move(request));
  return id;
}

Task<std::optional<store::Error>> BatchDecider::work_off(std::optional<store::Error> failed,
                                                         const Ids& ids, Events& events) {
  has_outage_ = failed && !concerns_requests(failed->fault);
  if (has_outage_) co_return failed;
  const bool is_locked = failed && failed->fault == Fault::locked;
  if (failed && !is_locked && is_slow(batch_.last_took, ids.size())) {
    backlog_.suspect(ids, *failed, clock_.steady_now());
  }
  batch_.is_split = batch_.conflicts >= kConflictsInARowMax;
  for (;;) {
    const Ids first = backlog_.due(clock_.steady_now()).first;
    if (first.empty()) break;
    auto outage = co_await try_all(batch_, first, is_locked ? Locks::skip : usual_locks(), events);
    has_outage_ = outage.has_value();
    if (outage) co_return outage;
  }
  hurry_overdue();
  refuse_overdue(events);
  co_return std::nullopt;
}

Task<void> BatchDecider::try_again(Events& events) {
  auto due = backlog_.due(clock_.steady_now());
  const bool again = due.first.empty();  // those of `first` only waited behind one decided since
  Ids ids = std::move(again ? due.again : due.first);
  if (ids.size() > beside_max_) {
    // Suspects come first: they may be sound, and must not wait for requests that fail.
    std::ranges::sort(ids, {}, [this](Id id) {
      const auto* failure = backlog_.failure(id);
      return failure == nullptr ? std::tuple(0, Backlog::TimePoint(), id)
                                : std::tuple(failure->count, failure->next_try, id);
    });
    ids.resize(beside_max_);
    std::ranges::sort(ids);
  }
  beside_max_ = std::min(2 * beside_max_, store::kBatchMax);
  const auto outage = co_await try_all(beside_, ids, again ? locks_for(ids) : Locks::wait, events);
  if (outage) not_before_ = clock_.steady_now() + kOutagePause;  // work_off() will meet it too
  co_await look_at_others();
  refuse_overdue(events);
}

Task<void> BatchDecider::look_at_others() {
  const auto now = clock_.steady_now();
  if (hurry_overdue() || now < next_look_) co_return;
  next_look_ = now + kLookPause;
  std::vector<domain::ProductId> failing;
  for (const auto& [id, failure] : backlog_.failures()) {
    std::ranges::copy(domain::products_of(requests_.at(id)), std::back_inserter(failing));
  }
  std::ranges::sort(failing);
  const auto repeated = std::ranges::unique(failing);
  failing.erase(repeated.begin(), repeated.end());
  if (const auto tried = co_await store_.try_another(failing)) {
    pulse_->beat(clock_.steady_now(), true);
    hurry_overdue();
  } else {
    spdlog::debug("{} requests wait, and nothing else can be sold: {}", backlog_.size(),
                  tried.error().what);
  }
}

// Returns whether others have passed since, for all that are overdue.
bool BatchDecider::hurry_overdue() {
  bool have_passed = true;
  for (const auto& [id, failure] : backlog_.failures()) {
    const auto since = is_overdue_since(*failure);
    if (!since || failure->others_passed > *since) continue;
    if (pulse_->stock_written() > *since) {
      backlog_.hurry(id, clock_.steady_now());
    } else {
      have_passed = false;
    }
  }
  return have_passed;
}

std::optional<std::chrono::steady_clock::time_point> BatchDecider::next_try() const {
  if (has_outage_ || backlog_.size() == 0) return std::nullopt;
  const auto now = clock_.steady_now();
  const auto next = backlog_.due(now).first.empty() ? backlog_.next_try() : std::optional(now);
  return next ? std::optional(std::max(*next, not_before_)) : std::nullopt;
}

std::optional<std::string> BatchDecider::suspicion() const {
  const auto failures = backlog_.failures();
  if (failures.empty()) return std::nullopt;
  const Backlog::Failure& first = *failures.front().second;
  const auto now = clock_.steady_now();
  const bool is_odd =
      !pulse_->has_beaten_since(first.first) && now - first.first >= kSuspicionAfter;
  // While it is full, others are tried every second.
  const bool is_stuck = is_full() && !pulse_->has_beaten_since(now - kSuspicionAfter);
  if (!is_odd && !is_stuck) return std::nullopt;
  return fmt::format("{} requests wait for the database: {}", backlog_.size(), first.error.what);
}

void BatchDecider::forget() {
  backlog_.clear();
  requests_.clear();
  has_outage_ = false;
}

Task<store::Result<std::vector<domain::Decision>>> BatchDecider::ask_store(
    Trier& trier, std::span<const domain::Command> requests, Locks locks,
    std::vector<domain::StockNews>& news) {
  const auto since = clock_.steady_now();
  auto decisions = co_await store_.execute(requests, locks, wants_news_ ? &news : nullptr);
  const auto now = clock_.steady_now();
  std::optional<Fault> fault;
  if (!decisions) fault = decisions.error().fault;
  observer_.transaction(now - since, fault);
  trier.last_took = now - since;
  if (decisions) {
    assert(decisions->size() == requests.size());  // one per request, in order
    pulse_->beat(now, std::ranges::any_of(*decisions, has_written_stock));
    trier.conflicts = 0;
  } else if (fault == Fault::retryable) {
    ++trier.conflicts;
  }
  co_return decisions;
}

// If one row is kept locked, another lock that is not granted is likely to be kept, too.
Locks BatchDecider::usual_locks() const {
  const bool is_one_kept = std::ranges::any_of(backlog_.failures(), [](const auto& one) {
    return one.second->error.fault == Fault::locked;
  });
  return is_one_kept ? Locks::wait_briefly : Locks::wait;
}

Locks BatchDecider::locks_for(const Ids& ids) const {
  const bool is_patient = std::ranges::any_of(ids, [this](Id id) {
    const auto* failure = backlog_.failure(id);
    return failure->error.fault == Fault::locked && failure->count > 0 &&
           failure->count % kPatientFailure == 0;
  });
  return is_patient ? Locks::wait : Locks::skip;
}

// Afterwards each request is decided, refused, put aside, or waits behind one put aside, unless
// there is an outage.
Task<BatchDecider::Outage> BatchDecider::try_all(Trier& trier, const Ids& ids, Locks locks,
                                                 Events& events) {
  backlog_.take(ids);
  auto outage = co_await try_parts(trier, ids, locks, events);
  backlog_.give_back(ids);
  co_return outage;
}

// NOLINTNEXTLINE(misc-no-recursion): halves, so it is as deep as a batch has binary digits
Task<BatchDecider::Outage> BatchDecider::try_parts(Trier& trier, Ids ids, Locks locks,
                                                   Events& events) {
  ids = backlog_.unblocked(ids);
  if (ids.empty()) co_return std::nullopt;
  std::vector<domain::Command> requests;
  requests.reserve(ids.size());
  for (const Id id : ids) requests.push_back(requests_.at(id));
  std::vector<domain::StockNews> news;
  auto decisions = co_await ask_store(trier, requests, locks, news);
  if (decisions) {
    const std::size_t first = events.size();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      events.push_back({ids[i], std::move((*decisions)[i])});
      backlog_.remove(ids[i]);
      requests_.erase(ids[i]);
    }
    for (const auto& one : news) events[first + one.command].news.push_back(one);
    co_return std::nullopt;
  }
  store::Error& error = decisions.error();
  const bool always_conflicts =
      error.fault == Fault::retryable && (trier.is_beside || trier.is_split);
  if (!concerns_requests(error.fault) && !always_conflicts) co_return std::move(error);
  if (const auto named = backlog_.for_products(ids, error.products); !named.empty()) {
    co_return co_await try_others(trier, std::move(ids), named, std::move(error), locks, events);
  }
  if (error.fault == Fault::locked && locks != Locks::skip) {
    co_return co_await try_parts(trier, std::move(ids), Locks::skip, events);
  }
  if (is_slow(trier.last_took, ids.size())) {
    beside_max_ = ids.size() / 2;
    backlog_.suspect(ids, error, clock_.steady_now());
    co_return std::nullopt;
  }
  if (ids.size() == 1) {
    fail(ids.front(), std::move(error), trier.last_took, events);
    co_return std::nullopt;
  }
  const auto middle = ids.begin() + static_cast<std::ptrdiff_t>(ids.size() / 2);
  auto outage = co_await try_parts(trier, Ids(ids.begin(), middle), locks, events);
  if (outage) co_return outage;
  co_return co_await try_parts(trier, Ids(middle, ids.end()), locks, events);
}

// For each product that an error names, its first request fails; the others wait behind it.
// NOLINTNEXTLINE(misc-no-recursion): see try_parts
Task<BatchDecider::Outage> BatchDecider::try_others(Trier& trier, Ids ids, const Ids& named,
                                                    store::Error error, Locks locks,
                                                    Events& events) {
  for (const Id id : named) {
    if (!backlog_.unblocked(std::span(&id, 1)).empty()) {
      fail(id, error, trier.last_took, events);
    }
  }
  Ids others;
  std::ranges::set_difference(ids, named, std::back_inserter(others));
  co_return co_await try_parts(trier, std::move(others), locks, events);
}

void BatchDecider::fail(Id id, store::Error error, std::chrono::steady_clock::duration took,
                        Events& events) {
  if (error.fault == Fault::refused) {
    refuse(id, std::move(error.what), "invalid", events);
    return;
  }
  events.push_back({id, PutAside{error.what}});
  backlog_.failed(id, std::move(error), clock_.steady_now(), took, pulse_->stock_written());
}

std::optional<Backlog::TimePoint> BatchDecider::is_overdue_since(
    const Backlog::Failure& failure) const {
  // A lock or a conflict goes away by itself.
  const bool is_failing = failure.error.fault == Fault::failing;
  const bool is_locked = failure.error.fault == Fault::locked;
  const bool is_in_the_way =
      is_full() &&
      (is_failing || (is_locked && failure.last - failure.same_since >= kLockedMaxInTheWay));
  if (is_in_the_way) return failure.began;
  const bool is_overdue =
      clock_.steady_now() - failure.first >= (is_failing ? kFailingMax : kLockedMax);
  return is_overdue ? std::optional(failure.first) : std::nullopt;
}

void BatchDecider::refuse_overdue(Events& events) {
  const auto now = clock_.steady_now();
  std::vector<std::pair<Id, std::string>> overdue;
  for (const auto& [id, failure] : backlog_.failures()) {
    const auto since = is_overdue_since(*failure);
    const bool have_passed = since && failure->others_passed > *since;
    const bool has_just_failed = failure->count > 0 && failure->next_try > now;
    if (has_just_failed && have_passed && !backlog_.is_taken(id)) {
      overdue.emplace_back(id, failure->error.what);
      const bool delays_others =
          failure->error.fault == Fault::locked || failure->took >= kSlowFailure;
      if (is_full() && delays_others) {
        make_room(id, failure->error.what, overdue);
      }
    }
  }
  for (auto& [id, why] : overdue) refuse(id, std::move(why), "refused", events);
}

// Adds as many of the requests behind one that is in the way as must be refused, too.
void BatchDecider::make_room(Id id, const std::string& why,
                             std::vector<std::pair<Id, std::string>>& overdue) const {
  for (const Id behind : backlog_.behind(id)) {
    if (4 * (backlog_.size() - overdue.size()) <= 3 * kept_max_) break;
    const bool is_told =
        std::ranges::any_of(overdue, [behind](const auto& one) { return one.first == behind; });
    if (is_told) continue;
    overdue.emplace_back(behind, why);
  }
}

void BatchDecider::refuse(Id id, std::string why, std::string_view reason, Events& events) {
  assert(requests_.contains(id));  // refused only once
  events.push_back({id, Refused{std::move(why), reason}});
  if (backlog_.failure(id) != nullptr) {
    backlog_.give_up(id, clock_.steady_now());
  } else {
    backlog_.remove(id);
  }
  requests_.erase(id);
}

}  // namespace inventory::service
