#pragma once

// The ledger: one entry for each decision, kept until somebody takes it out, and one for the stock
// that an item began with. For each product the sum of deltas is its quantity.
//
// What kind of decision it is is told by the first letter of its identity:
//   i, s, l  an order (see Order::ledger_identity)
//   c        the cancellation of the order whose identity follows
//   f        its confirmation (see hold.h)
//   x        the expiry of its hold
//   a        an adjustment
//   o        the opening entry; its identity is the word itself
//   b        the balance: what entries did to the stock that were taken out (store/archiver.h); its
//            identity is the word itself

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

// Stock: what can be sold of a product. The version grows with each change. At and below
// `low_stock`, if it is there, stock is called low.
struct Stock {
  Quantity quantity = 0;
  std::int64_t version = 0;
  std::optional<Quantity> low_stock = std::nullopt;

  friend bool operator==(const Stock&, const Stock&) = default;
};

// LedgerEntry: one decision, as it is kept.
struct LedgerEntry {
  LedgerKey key;
  Outcome outcome = Outcome::accepted;
  Quantity quantity = 0;  // that was asked for
  Quantity delta = 0;     // by which the stock changed

  // What there was afterwards, and the product's version; nothing where there is no such product,
  // or where a program before 1.1 decided.
  std::optional<Quantity> quantity_after = std::nullopt;
  std::optional<std::int64_t> version = std::nullopt;

  std::optional<std::string> reason = std::nullopt;  // its sender's, for people
  std::optional<std::string> terms =
      std::nullopt;  // what else was asked; compared with repetitions
  std::optional<std::int64_t> message_hash = std::nullopt;  // of the message's id, if it had one

  friend bool operator==(const LedgerEntry&, const LedgerEntry&) = default;
};

// What is wrong in an entry as a store has read it; empty where it is as this program writes it.
// Numbers are absent where they are NULL or none.
struct ReadEntry {
  std::optional<std::string_view> outcome;
  std::optional<std::int64_t> quantity;
  std::optional<std::int64_t> delta;
};
std::string flaw_of(std::string_view identity, const ReadEntry& entry);

// A stable hash, the same on every machine and in every version: 64-bit FNV-1a.
std::int64_t stable_hash(std::string_view bytes);

}  // namespace inventory::domain
