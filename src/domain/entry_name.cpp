#include "domain/entry_name.h"

#include <charconv>
#include <utility>

namespace inventory::domain {
namespace {

EntryName named(EntryKind kind, std::optional<OrderName> name) {
  if (!name) return {};
  return {.kind = kind, .id = std::move(name->id), .line = std::move(name->line)};
}

EntryName read_adjustment(std::string_view identity) {
  auto name = read_order_identity(identity);
  return name && name->line ? EntryName() : named(EntryKind::adjustment, std::move(name));
}

}  // namespace

std::string_view word_of(EntryKind kind) {
  switch (kind) {
    case EntryKind::order:
      return "order";
    case EntryKind::cancellation:
      return "cancellation";
    case EntryKind::confirmation:
      return "confirmation";
    case EntryKind::expiry:
      return "expiry";
    case EntryKind::adjustment:
      return "adjustment";
    case EntryKind::opening:
      return "opening";
    case EntryKind::balance:
      return "balance";
    case EntryKind::correction:
      return "correction";
  }
  return "";
}

EntryName read_entry_name(std::string_view identity, std::optional<Outcome> outcome) {
  if (identity == kOpening) return {.kind = EntryKind::opening};
  if (identity == kBalance) return {.kind = EntryKind::balance};
  if (identity.empty()) return {};
  const std::string_view rest = identity.substr(1);
  switch (identity.front()) {
    case 'c':
      return named(EntryKind::cancellation, read_order_identity(rest));
    case 'f':
      return named(EntryKind::confirmation, read_order_identity(rest));
    case 'x':
      return named(EntryKind::expiry, read_order_identity(rest));
    case 'a':
      return read_adjustment(rest);
    default:
      return named(outcome == Outcome::cancelled_first ? EntryKind::cancellation : EntryKind::order,
                   read_order_identity(identity));
  }
}

std::optional<AdjustmentTerms> read_adjustment_terms(std::string_view terms) {
  static constexpr std::string_view kSetTo = "set_to";
  static constexpr std::string_view kExpected = ", expected ";
  if (terms == "change") return AdjustmentTerms();
  if (!terms.starts_with(kSetTo)) return std::nullopt;
  terms.remove_prefix(kSetTo.size());
  if (terms.empty()) return AdjustmentTerms{.sets = true};
  if (!terms.starts_with(kExpected)) return std::nullopt;
  terms.remove_prefix(kExpected.size());
  Quantity expected = 0;
  const auto [end, error] = std::from_chars(terms.data(), terms.data() + terms.size(), expected);
  if (error != std::errc() || end != terms.data() + terms.size()) return std::nullopt;
  return AdjustmentTerms{.sets = true, .expected = expected};
}

}  // namespace inventory::domain
