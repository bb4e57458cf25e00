#pragma once

// A request that tests whether a product can be sold. It is rolled back, so nobody sees it. No two
// have the same identity.

#include <chrono>
#include <expected>
#include <utility>

#include <fmt/format.h>

#include "domain/command.h"
#include "store/error.h"

namespace inventory::store {

// A product that is out of stock cannot be sold: its trial is whether its stock can be written.
inline domain::Command trial_of(domain::ProductId product, bool is_in_stock) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  domain::OrderId id(fmt::format("trial {}", now.count()));
  if (!is_in_stock) {
    return domain::Adjustment{.id = std::move(id), .product = product, .change = 1};
  }
  return domain::Order{.id = std::move(id), .product = product, .quantity = 1};
}

// Whether the trial got as far as writing, and so proves something.
inline Result<void> check_trial(const domain::Decision& decision) {
  const domain::OutcomeRow& row = row_of(domain::outcome_of(decision));
  if (row.writes_stock) return {};
  return std::unexpected(
      Error{Fault::retryable, fmt::format("another product, tried: {}", row.text)});
}

}  // namespace inventory::store
