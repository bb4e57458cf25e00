#pragma once

// EntryName: what the identity of a ledger entry says: the kind of request, and the id that its
// sender gave.

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
  correction,  // entered by hand: it has an identity but no id
};

std::string_view word_of(EntryKind kind);

// The id is that of an order or of an adjustment; opening, balance and correction have none.
struct EntryName {
  EntryKind kind = EntryKind::correction;
  std::optional<OrderId> id = std::nullopt;
  std::optional<OrderId> line = std::nullopt;

  friend bool operator==(const EntryName&, const EntryName&) = default;
};

// The outcome tells an order's entry from that of a cancellation which came before its order.
EntryName read_entry_name(std::string_view identity, std::optional<Outcome> outcome);

// What the terms of an adjustment's entry say (Adjustment::terms); empty if they are not such
// terms.
struct AdjustmentTerms {
  bool sets = false;  // the entry's quantity was set; else it is the change
  std::optional<Quantity> expected = std::nullopt;

  friend bool operator==(const AdjustmentTerms&, const AdjustmentTerms&) = default;
};
std::optional<AdjustmentTerms> read_adjustment_terms(std::string_view terms);

}  // namespace inventory::domain
