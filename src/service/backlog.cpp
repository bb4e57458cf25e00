#include "service/backlog.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace inventory::service {
namespace {

using std::chrono::milliseconds;

struct Waits {
  milliseconds first;
  milliseconds last;
};
constexpr Waits kLocked{milliseconds(50), milliseconds(5'000)};
constexpr Waits kFailing{milliseconds(250), milliseconds(15'000)};

milliseconds wait_after(store::Fault fault, int failures) {
  const Waits waits = fault == store::Fault::locked ? kLocked : kFailing;
  milliseconds wait = waits.first;
  for (int i = 1; i < failures && wait < waits.last; ++i) wait *= 2;
  return std::min(wait, waits.last);
}

void add_to(std::set<domain::ProductId>& blocked, const std::vector<domain::ProductId>& products) {
  blocked.insert(products.begin(), products.end());
}

}  // namespace

std::vector<domain::ProductId> Backlog::Request::held_up() const {
  if (!failure) return {};
  if (products.size() == 1) return products;
  std::vector<domain::ProductId> named;
  for (const auto product : failure->error.products) {
    if (std::ranges::find(products, product) != products.end()) named.push_back(product);
  }
  return named;
}

bool Backlog::Request::shares(const Products& with) const {
  return std::ranges::any_of(products, [&](auto product) { return with.contains(product); });
}

Backlog::Id Backlog::add(std::vector<domain::ProductId> products, TimePoint now) {
  requests_.emplace_hint(requests_.end(), next_id_,
                         Request{.products = std::move(products), .since = now, .failure = {}});
  return next_id_++;
}

void Backlog::remove(Id id) { requests_.erase(id); }

void Backlog::give_up(Id id, TimePoint now) {
  const auto given_up = requests_.extract(id);
  const auto held_up = given_up.mapped().held_up();
  const Products freed(held_up.begin(), held_up.end());
  for (auto next = requests_.upper_bound(id); next != requests_.end(); ++next) {
    Request& request = next->second;
    if (!request.shares(freed)) continue;
    if (!request.failure) {
      Failure failure = given_up.mapped().failure.value_or(Failure());
      failure.first = request.since;
      // If they have several products, another one may have failed.
      if (request.products != given_up.mapped().products) failure.same_since = now;
      failure.next_try = now;
      failure.count = 0;
      request.failure = std::move(failure);
    }
    return;
  }
}

void Backlog::failed(Id id, store::Error error, TimePoint now, TimePoint::duration took,
                     TimePoint others_passed) {
  auto& failure = requests_.at(id).failure;
  if (!failure) {
    failure = Failure{.error = error,
                      .first = now,
                      .began = now,
                      .same_since = now,
                      .last = now,
                      .next_try = now};
  }
  if (failure->error.fault != error.fault) failure->same_since = now;
  failure->last = now;
  failure->took = took;
  failure->others_passed = others_passed;
  ++failure->count;
  failure->next_try =
      now + std::max<TimePoint::duration>(wait_after(error.fault, failure->count), 4 * took);
  failure->error = std::move(error);
}

void Backlog::hurry(Id id, TimePoint now) {
  auto& failure = requests_.at(id).failure;
  if (failure) failure->next_try = std::min(failure->next_try, now);
}

void Backlog::suspect(std::span<const Id> ids, const store::Error& error, TimePoint now) {
  Products before;
  for (const Id id : ids) {
    Request& request = requests_.at(id);
    if (!request.failure && !request.shares(before)) {
      request.failure = Failure{.error = error,
                                .first = now,
                                .began = now,
                                .same_since = now,
                                .last = now,
                                .next_try = now};
    }
    add_to(before, request.products);
  }
}

void Backlog::take(std::span<const Id> ids) {
  for (const Id id : ids) {
    assert(!requests_.at(id).is_taken);  // nobody else is trying it
    requests_.at(id).is_taken = true;
  }
}

void Backlog::give_back(std::span<const Id> ids) {
  for (const Id id : ids) {
    if (const auto found = requests_.find(id); found != requests_.end()) {
      found->second.is_taken = false;
    }
  }
}

// `again` has all that failed and need not wait for another, due or not.
Backlog::Due Backlog::candidates() const {
  Due candidates;
  Products blocked;  // by one that failed or is taken
  Products before;   // also by one that may be tried for the first time
  for (const auto& [id, request] : requests_) {
    const bool is_blocked = request.shares(blocked);
    if (request.is_taken) {
      add_to(blocked, request.keeps_in_order());
      add_to(before, request.keeps_in_order());
    } else if (request.failure) {
      if (!request.shares(before)) candidates.again.push_back(id);
      add_to(blocked, request.held_up());
      add_to(before, request.held_up());
    } else if (!is_blocked) {
      candidates.first.push_back(id);
      add_to(before, request.products);
    }
  }
  return candidates;
}

Backlog::Due Backlog::due(TimePoint now) const {
  Due due = candidates();
  std::erase_if(due.again, [&](Id id) { return requests_.at(id).failure->next_try > now; });
  return due;
}

std::vector<Backlog::Id> Backlog::unblocked(std::span<const Id> ids) const {
  assert(std::ranges::is_sorted(ids));
  std::vector<Id> unblocked;
  Products blocked;
  auto asked = ids.begin();
  for (const auto& [id, request] : requests_) {
    if (asked == ids.end()) break;
    const bool is_asked = *asked == id;
    if (is_asked) ++asked;
    const bool is_blocked = request.shares(blocked);
    if (is_asked && !is_blocked) {
      unblocked.push_back(id);
    } else if (request.failure) {
      add_to(blocked, request.held_up());
    } else if (!is_blocked || (request.is_taken && !is_asked)) {
      // It is to be tried before, or is taken: as in due().
      add_to(blocked, request.products);
    }
  }
  return unblocked;
}

std::vector<Backlog::Id> Backlog::for_products(std::span<const Id> ids,
                                               std::span<const domain::ProductId> products) const {
  const Products wanted(products.begin(), products.end());
  std::vector<Id> found;
  for (const Id id : ids) {
    if (requests_.at(id).shares(wanted)) found.push_back(id);
  }
  return found;
}

std::vector<Backlog::Id> Backlog::behind(Id id) const {
  std::vector<Id> found;
  const auto& products = requests_.at(id).products;
  for (auto next = requests_.upper_bound(id); next != requests_.end(); ++next) {
    const Request& request = next->second;
    if (!request.failure && !request.is_taken && request.products == products) {
      found.push_back(next->first);
    }
  }
  return found;
}

std::optional<Backlog::TimePoint> Backlog::next_try() const {
  std::optional<TimePoint> next;
  for (const Id id : candidates().again) {
    const Failure* const one = failure(id);
    if (one != nullptr) next = std::min(next.value_or(one->next_try), one->next_try);
  }
  return next;
}

std::vector<std::pair<Backlog::Id, const Backlog::Failure*>> Backlog::failures() const {
  std::vector<std::pair<Id, const Failure*>> failures;
  for (const auto& [id, request] : requests_) {
    if (request.failure) failures.emplace_back(id, &*request.failure);
  }
  return failures;
}

const Backlog::Failure* Backlog::failure(Id id) const {
  const auto& failure = requests_.at(id).failure;
  return failure ? &*failure : nullptr;
}

}  // namespace inventory::service
