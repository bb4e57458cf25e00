#include "service/backlog.h"

#include <algorithm>
#include <set>
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

bool share(const std::set<domain::ProductId>& blocked,
           const std::vector<domain::ProductId>& products) {
  return std::ranges::any_of(products, [&](auto product) { return blocked.contains(product); });
}

}  // namespace

Backlog::Id Backlog::add(std::vector<domain::ProductId> products, TimePoint now) {
  requests_.emplace_hint(requests_.end(), next_id_,
                         Request{.products = std::move(products), .since = now, .failure = {}});
  return next_id_++;
}

void Backlog::remove(Id id) { requests_.erase(id); }

void Backlog::give_up(Id id, TimePoint now) {
  const auto given_up = requests_.extract(id);
  const auto& [products, since, failure] = given_up.mapped();
  const std::set<domain::ProductId> freed(products.begin(), products.end());
  for (auto next = requests_.upper_bound(id); next != requests_.end(); ++next) {
    Request& request = next->second;
    if (!share(freed, request.products)) continue;
    if (!request.failure) {
      request.failure = failure;
      request.failure->first = request.since;
      request.failure->next_try = now;
      request.failure->count = 0;
    }
    return;
  }
}

void Backlog::failed(Id id, store::Error error, TimePoint now, TimePoint::duration took) {
  auto& failure = requests_.at(id).failure;
  if (!failure) failure = Failure{.error = {}, .first = now, .next_try = now};
  ++failure->count;
  failure->next_try =
      now + std::max<TimePoint::duration>(wait_after(error.fault, failure->count), 20 * took);
  failure->error = std::move(error);
}

void Backlog::postpone(Id id, TimePoint next_try) {
  auto& failure = requests_.at(id).failure;
  if (failure) failure->next_try = next_try;
}

Backlog::Due Backlog::due(TimePoint now) const {
  Due due;
  std::set<domain::ProductId> blocked;
  for (const auto& [id, request] : requests_) {
    const bool is_blocked = share(blocked, request.products);
    if (!is_blocked && !request.failure) {
      due.first.push_back(id);
      continue;
    }
    if (!is_blocked && request.failure->next_try <= now) due.again.push_back(id);
    blocked.insert(request.products.begin(), request.products.end());
  }
  return due;
}

std::vector<Backlog::Id> Backlog::unblocked(std::span<const Id> ids) const {
  std::vector<Id> unblocked;
  std::set<domain::ProductId> blocked;
  auto asked = ids.begin();
  for (const auto& [id, request] : requests_) {
    if (asked == ids.end()) break;
    const bool is_asked = *asked == id;
    if (is_asked) ++asked;
    if (is_asked && !share(blocked, request.products)) {
      unblocked.push_back(id);
    } else {
      blocked.insert(request.products.begin(), request.products.end());
    }
  }
  return unblocked;
}

std::vector<Backlog::Id> Backlog::for_products(std::span<const Id> ids,
                                               std::span<const domain::ProductId> products) const {
  const std::set<domain::ProductId> wanted(products.begin(), products.end());
  std::vector<Id> found;
  for (const Id id : ids) {
    if (share(wanted, requests_.at(id).products)) found.push_back(id);
  }
  return found;
}

std::optional<Backlog::TimePoint> Backlog::next_try() const {
  std::optional<TimePoint> next;
  std::set<domain::ProductId> blocked;
  for (const auto& [id, request] : requests_) {
    if (request.failure && !share(blocked, request.products) &&
        (!next || request.failure->next_try < *next)) {
      next = request.failure->next_try;
    }
    blocked.insert(request.products.begin(), request.products.end());
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
