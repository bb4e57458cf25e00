#pragma once

// Backlog: the requests that could not be decided when they came, and which of them may be tried
// now. Pure: it knows the requests' products and times, not their content.
//
// Invariants:
//   1. Requests for a product are tried in the order in which they came: while one that has failed
//      waits, those behind it for the product wait too. A request without products waits for no
//      other.
//   2. A failed request for several products holds up only the products that its error names, since
//      it waits for one of these. If the error names none it holds up no other request: those for
//      the product that fails will fail on their own.
//   3. A request that failed on its own is tried again after a wait that doubles: from 50 ms to 5 s
//      if a row was locked, else from 250 ms to 15 s; but at least 4 times as long as the try took.
//   4. A request that is taken to be tried is not offered again until it is given back.

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

  // How a request failed on its own.
  struct Failure {
    store::Error error;  // the last one
    TimePoint first;
    TimePoint began;       // its first failure, or that of those given up before it
    TimePoint same_since;  // since when the fault is the same
    TimePoint last;
    TimePoint others_passed = TimePoint::min();  // as known when it failed last
    TimePoint next_try;
    TimePoint::duration took{};  // the last try
    int count = 0;               // 0: only suspected; to be tried alone
  };

  // Adds a request behind the others.
  Id add(std::vector<domain::ProductId> products, TimePoint now);
  void remove(Id id);

  // Gives up one that failed. The next for its products is tried alone, and counts as failing since
  // it came, because what it waited for failed all that time.
  void give_up(Id id, TimePoint now);

  // Records that it failed: it was tried alone, for `took`, or the error names its product. Others,
  // if any, passed last at `others_passed`.
  void failed(Id id, store::Error error, TimePoint now, TimePoint::duration took,
              TimePoint others_passed);

  // Lets it be tried again without further wait.
  void hurry(Id id, TimePoint now);

  // One or more of these failed: the first for each product is to be tried beside the others.
  void suspect(std::span<const Id> ids, const store::Error& error, TimePoint now);

  // Marks them as being tried, until give_back().
  void take(std::span<const Id> ids);
  void give_back(std::span<const Id> ids);

  // Those that failed before and may be tried again, and those that may be tried for the first
  // time, each in order of arrival, without those that are taken.
  struct Due {
    std::vector<Id> again;
    std::vector<Id> first;
  };
  Due due(TimePoint now) const;

  // Those of `ids`, in order of arrival, that do not wait for a failed request before them.
  std::vector<Id> unblocked(std::span<const Id> ids) const;

  // Those of `ids` that are for one of the products.
  std::vector<Id> for_products(std::span<const Id> ids,
                               std::span<const domain::ProductId> products) const;

  // Those behind it that have not failed, are not taken, and are for exactly its products.
  std::vector<Id> behind(Id id) const;

  // When the next that failed and is not taken may be tried; empty if there is none.
  std::optional<TimePoint> next_try() const;

  // Those that have failed, in order of arrival.
  std::vector<std::pair<Id, const Failure*>> failures() const;
  const Failure* failure(Id id) const;
  bool is_taken(Id id) const { return requests_.at(id).is_taken; }

  std::size_t size() const { return requests_.size(); }
  void clear() { requests_.clear(); }

 private:
  using Products = std::set<domain::ProductId>;

  struct Request {
    // Its products for which others wait behind it, once it has failed.
    std::vector<domain::ProductId> held_up() const;
    // The same; all its products if it has not failed.
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
