#pragma once

// EntryName: whose entry of the ledger it is, told by its identity: the kind of request, and the id
// that its sender gave.

#include <cstdint>
#include <optional>
#include <string_view>

#include "domain/order.h"

namespace inventory::domain {

enum class EntryKind : std::uint8_t {
  order,
  cancellation,
  confirmation,
  expiry,
  adjustment,
  opening,
  balance,
  correction,  // entered by hand: it has no id but its identity
};

std::string_view word_of(EntryKind kind);

// The id is that of an order, or of an adjustment; an opening entry, a balance
// and one by hand have none.
struct EntryName {
  EntryKind kind = EntryKind::correction;
  std::optional<OrderId> id = std::nullopt;
  std::optional<OrderId> line = std::nullopt;

  friend bool operator==(const EntryName&, const EntryName&) = default;
};

// The outcome tells what a cancellation wrote under the identity of an order that had not come yet.
EntryName read_entry_name(std::string_view identity, std::optional<Outcome> outcome);

// What the terms of an adjustment's entry say (Adjustment::terms); nothing where they are none.
struct AdjustmentTerms {
  bool sets = false;  // the entry's quantity is what was set; else by what it changed
  std::optional<Quantity> expected = std::nullopt;

  friend bool operator==(const AdjustmentTerms&, const AdjustmentTerms&) = default;
};
std::optional<AdjustmentTerms> read_adjustment_terms(std::string_view terms);

}  // namespace inventory::domain
