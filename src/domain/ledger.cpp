#include "domain/ledger.h"

#include <bit>

namespace inventory::domain {
namespace {

std::string number_text(std::optional<std::int64_t> number) {
  return number ? std::to_string(*number) : "NULL or no integer";
}

// What an entry with a given kind of identity and outcome must hold.
struct Form {
  Quantity least;  // smallest quantity
  int delta;       // as a multiple of the quantity; kAnyDelta: any
};
constexpr int kAnyDelta = 2;

std::optional<Form> form_of_order(Outcome outcome) {
  switch (outcome) {
    case Outcome::accepted:
    case Outcome::held:
      return Form{1, -1};
    case Outcome::product_not_found:
    case Outcome::not_enough_stock:
    case Outcome::other_item:
      return Form{1, 0};
    case Outcome::cancelled_first:
      return Form{0, 0};
    default:
      return std::nullopt;
  }
}

std::optional<Form> form_of_adjustment(Outcome outcome) {
  switch (outcome) {
    case Outcome::adjusted:
      return Form{-kQuantityMax, kAnyDelta};
    case Outcome::product_not_found:
    case Outcome::not_enough_stock:
    case Outcome::inventory_changed:
      return Form{-kQuantityMax, 0};
    default:
      return std::nullopt;
  }
}

std::optional<Form> form_of_confirmation(Outcome outcome) {
  switch (outcome) {
    case Outcome::confirmed:
    case Outcome::hold_expired:
    case Outcome::order_cancelled:
    case Outcome::order_rejected:
      return Form{0, 0};
    default:
      return std::nullopt;
  }
}

// Empty if no entry with this identity has this outcome.
std::optional<Form> form_of(std::string_view identity, Outcome outcome) {
  switch (identity.empty() ? '\0' : identity.front()) {
    case 'i':
    case 's':
    case 'l':
      return form_of_order(outcome);
    case 'c':
      return outcome == Outcome::cancelled ? std::optional(Form{0, 1}) : std::nullopt;
    case 'f':
      return form_of_confirmation(outcome);
    case 'x':
      return outcome == Outcome::expired ? std::optional(Form{0, 1}) : std::nullopt;
    case 'a':
      return form_of_adjustment(outcome);
    case 'o':
      return outcome == Outcome::opening ? std::optional(Form{0, 1}) : std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string flaw_of(std::string_view identity, const ReadEntry& entry) {
  const auto outcome = entry.outcome ? find_outcome(*entry.outcome) : std::nullopt;
  const auto form = outcome ? form_of(identity, *outcome) : std::nullopt;
  if (!form) {
    return entry.outcome ? "outcome is '" + std::string(*entry.outcome) +
                               "', which this program does not know of such an entry"
                         : "outcome is NULL";
  }
  if (!entry.quantity || *entry.quantity < form->least || *entry.quantity > kQuantityMax) {
    return "quantity is " + number_text(entry.quantity);
  }
  const bool fits =
      entry.delta &&
      (form->delta == kAnyDelta ? *entry.delta >= -kQuantityMax && *entry.delta <= kQuantityMax
                                : *entry.delta == form->delta * *entry.quantity);
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
