#include "domain/ledger.h"

#include <bit>

namespace inventory::domain {
namespace {

std::string number_text(std::optional<std::int64_t> number) {
  return number ? std::to_string(*number) : "NULL or no integer";
}

bool is_of_an_order(std::string_view identity) {
  return identity != kOpening && (identity.starts_with('i') || identity.starts_with('s') ||
                                  identity.starts_with('l'));
}

// By how much an order of this outcome and quantity changes the stock.
Quantity delta_of_order(Outcome outcome, Quantity quantity) {
  return outcome == Outcome::accepted ? -quantity : 0;
}

}  // namespace

std::string flaw_of(std::string_view identity, const ReadEntry& entry) {
  const auto outcome = entry.outcome ? find_outcome(*entry.outcome) : std::nullopt;
  if (!outcome) {
    return entry.outcome ? "outcome is '" + std::string(*entry.outcome) +
                               "', which this program does not know"
                         : "outcome is NULL";
  }
  const Quantity least = is_of_an_order(identity) ? 1 : -kQuantityMax;
  if (!entry.quantity || *entry.quantity < least || *entry.quantity > kQuantityMax) {
    return "quantity is " + number_text(entry.quantity);
  }
  const bool fits = entry.delta && (is_of_an_order(identity)
                                        ? *entry.delta == delta_of_order(*outcome, *entry.quantity)
                                        : *entry.delta >= -kQuantityMax && *entry.delta <= kQuantityMax);
  if (!fits) {
    return "delta is " + number_text(entry.delta) + ", which disagrees with outcome '" +
           std::string(row_of(*outcome).word) + "' and quantity " + std::to_string(*entry.quantity);
  }
  return "";
}

std::int64_t stable_hash(std::string_view bytes) {
  std::uint64_t hash = 14'695'981'039'346'656'037U;
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 1'099'511'628'211U;
  }
  return std::bit_cast<std::int64_t>(hash);
}

}  // namespace inventory::domain
