#pragma once

// Batches of one kind of request, with decisions of that kind: for tests and measurements.

#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "store/store.h"

namespace inventory::store {

// Starts when it is awaited; `requests` outlive it.
template <class DecisionOfKind, class Kind>
Task<Result<std::vector<DecisionOfKind>>> decide_kind(Store& store, std::span<const Kind> requests,
                                                      Locks locks) {
  const std::vector<domain::Command> commands(requests.begin(), requests.end());
  auto decisions = co_await store.execute(commands, locks);
  if (!decisions) co_return std::unexpected(std::move(decisions.error()));
  std::vector<DecisionOfKind> result;
  result.reserve(decisions->size());
  for (auto& decision : *decisions) {
    result.push_back(std::get<DecisionOfKind>(std::move(decision)));
  }
  co_return result;
}

inline Task<Result<std::vector<domain::OrderDecision>>> decide_orders(
    Store& store, std::span<const domain::Order> orders, Locks locks = Locks::wait) {
  return decide_kind<domain::OrderDecision>(store, orders, locks);
}

inline Task<Result<std::vector<domain::ItemDecision>>> add_items(
    Store& store, std::span<const domain::NewItem> requests) {
  return decide_kind<domain::ItemDecision>(store, requests, Locks::wait);
}

}  // namespace inventory::store
