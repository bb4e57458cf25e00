#pragma once

// Backlog: the requests that could not be decided when they came, and which of them may be tried
// now. Pure: it knows their products and their times, not what they are.
//
// Invariants:
//   1. Requests for a product are tried in the order in which they came: while one waits that has
//      failed, those behind it for the product wait too. A request without products waits for
//      nobody.
//   2. Of several products, a request that has failed holds up only those that its error names: it
//      is for one of them that it waits, and the others are not to wait with it. Where the error
//      names none it holds up nobody, and who asks for the one that fails will fail by himself.
//   3. A request that failed by itself is tried again with a wait that doubles: from 50 ms to 5 s
//      where somebody kept a lock, from 250 ms to 15 s otherwise; but at least 4 times as long as
//      the try took.
//   4. One that is taken, to be tried, is in no other hand.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "domain/order.h"
#include "store/error.h"

namespace inventory::service {

class Backlog {
 public:
  using Id = std::uint64_t;  // grows in the order of arrival
  using TimePoint = std::chrono::steady_clock::time_point;

  // What a request that failed by itself has met.
  struct Failure {
    store::Error error;  // the last one
    TimePoint first;
    TimePoint began;       // the first failure of those before it that were given up, or its own
    TimePoint same_since;  // the same fault
    TimePoint last;
    TimePoint others_passed = TimePoint::min();  // as was known when it failed last
    TimePoint next_try;
    TimePoint::duration took{};  // the last try
    int count = 0;               // 0: it is to be tried by itself, and may be sound
  };

  // Behind those that are here.
  Id add(std::vector<domain::ProductId> products, TimePoint now);
  void remove(Id id);

  // One that failed is given up. The next for its products is tried by itself, and counts as having
  // failed since it came: what it waited for failed all the while.
  void give_up(Id id, TimePoint now);

  // It was tried alone and failed after so long, or the error names its product. Others, if any,
  // have passed last at `others_passed`.
  void failed(Id id, store::Error error, TimePoint now, TimePoint::duration took,
              TimePoint others_passed);

  // It is to be tried again without waiting any longer.
  void hurry(Id id, TimePoint now);

  // Something among these failed: the first for each product is to be tried beside the others.
  void suspect(std::span<const Id> ids, const store::Error& error, TimePoint now);

  // They are being tried; until they are given back.
  void take(std::span<const Id> ids);
  void give_back(std::span<const Id> ids);

  // Those that failed before and may be tried again, and those that may be tried first, each in the
  // order of arrival, without those that are taken.
  struct Due {
    std::vector<Id> again;
    std::vector<Id> first;
  };
  Due due(TimePoint now) const;

  // Those of `ids`, in the order of arrival, that wait for no request before them that has failed.
  std::vector<Id> unblocked(std::span<const Id> ids) const;

  // Those of `ids` that are for one of the products.
  std::vector<Id> for_products(std::span<const Id> ids,
                               std::span<const domain::ProductId> products) const;

  // Those that have not failed, are not taken, and are for its products alone, behind it.
  std::vector<Id> behind(Id id) const;

  // When the next may be tried that failed and is not taken; nothing if there is none.
  std::optional<TimePoint> next_try() const;

  // Those that have failed, in the order of arrival.
  std::vector<std::pair<Id, const Failure*>> failures() const;
  const Failure* failure(Id id) const;
  bool is_taken(Id id) const { return requests_.at(id).is_taken; }

  std::size_t size() const { return requests_.size(); }
  void clear() { requests_.clear(); }

 private:
  using Products = std::set<domain::ProductId>;

  struct Request {
    // Of its products, those for which others wait behind it once it has failed.
    std::vector<domain::ProductId> held_up() const;
    // The same, of one that has not failed: all of them.
    std::vector<domain::ProductId> keeps_in_order() const { return failure ? held_up() : products; }
    bool shares(const Products& with) const;

    std::vector<domain::ProductId> products;
    TimePoint since;
    std::optional<Failure> failure;
    bool is_taken = false;
  };

  Due candidates() const;

  std::map<Id, Request> requests_;
  Id next_id_ = 1;
};

}  // namespace inventory::service
