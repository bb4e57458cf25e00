#pragma once

// The ledger: one entry for each decision, kept until it is archived, and one for the stock that an
// item began with. For each product the sum of deltas is its quantity.
//
// The first letter of an entry's identity tells its kind:
//   i, s, l  an order (see Order::ledger_identity)
//   c        the cancellation of the order whose identity follows
//   f        its confirmation (see hold.h)
//   x        the expiry of its hold
//   a        an adjustment
//   o        the opening entry; its identity is "opening"
//   b        the balance: the sum of the archived entries' deltas (store/archiver.h); its identity
//            is "balance"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "domain/outcome.h"

namespace inventory::domain {

using ProductId = std::int64_t;
using Quantity = std::int64_t;

inline constexpr Quantity kQuantityMax = 9'007'199'254'740'991;  // 2^53 - 1: the contract's largest

// (product, identity): product first, so that one product's entries lie together.
using LedgerKey = std::pair<ProductId, std::string>;

inline constexpr std::string_view kOpening = "opening";
inline constexpr std::string_view kBalance = "balance";

// Stock: how much of a product can be sold. The version grows with each change. Stock at or below
// `low_stock`, if that is set, is called low.
struct Stock {
  Quantity quantity = 0;
  std::int64_t version = 0;
  std::optional<Quantity> low_stock = std::nullopt;

  friend bool operator==(const Stock&, const Stock&) = default;
};

// LedgerEntry: one decision, as stored.
struct LedgerEntry {
  LedgerKey key;
  Outcome outcome = Outcome::accepted;
  Quantity quantity = 0;  // asked for
  Quantity delta = 0;     // change of the stock

  // On hand afterwards, and the product's version; empty if there is no such product, or if a
  // program before 1.1 decided.
  std::optional<Quantity> quantity_after = std::nullopt;
  std::optional<std::int64_t> version = std::nullopt;

  std::optional<std::string> reason = std::nullopt;  // from the sender, for people
  std::optional<std::string> terms =
      std::nullopt;  // what else was asked; a repetition must ask the same
  std::optional<std::int64_t> message_hash = std::nullopt;  // of the message's id, if it had one

  friend bool operator==(const LedgerEntry&, const LedgerEntry&) = default;
};

// Says what is wrong with an entry that a store has read; empty if this program would have written
// it so. Numbers are absent if they are NULL or not integers.
struct ReadEntry {
  std::optional<std::string_view> outcome;
  std::optional<std::int64_t> quantity;
  std::optional<std::int64_t> delta;
};
std::string flaw_of(std::string_view identity, const ReadEntry& entry);

// A stable hash, the same on every machine and in every version: 64-bit FNV-1a.
std::int64_t stable_hash(std::string_view bytes);

}  // namespace inventory::domain
