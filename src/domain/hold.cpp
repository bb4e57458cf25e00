#include "domain/hold.h"

#include <charconv>

#include "domain/books.h"

namespace inventory::domain {
namespace {

constexpr std::string_view kHold = "hold ";
constexpr std::string_view kUntil = " until ";

// Reads a number and removes it from the text.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

}  // namespace

std::string text_of(const HoldTerms& terms) {
  std::string text(kHold);
  text += std::to_string(terms.seconds);
  if (terms.until) {
    text += kUntil;
    text += std::to_string(terms.until->time_since_epoch().count());
  }
  return text;
}

std::optional<HoldTerms> hold_terms(const LedgerEntry& order) {
  std::string_view text = order.terms ? std::string_view(*order.terms) : std::string_view();
  if (!text.starts_with(kHold)) return std::nullopt;
  text.remove_prefix(kHold.size());
  const auto seconds = take_number(text);
  if (!seconds) return std::nullopt;
  HoldTerms terms{.seconds = *seconds};
  if (text.starts_with(kUntil)) {
    text.remove_prefix(kUntil.size());
    if (const auto until = take_number(text)) terms.until = Timestamp(Timestamp::duration(*until));
  }
  return terms;
}

std::optional<Timestamp> take(LedgerEntry& entry, const std::optional<std::int64_t>& hold_seconds,
                              Books& books) {
  const bool is_held = entry.outcome == Outcome::held;
  if (is_held || entry.outcome == Outcome::accepted) entry.delta = -entry.quantity;
  if (!hold_seconds) return std::nullopt;
  HoldTerms terms{.seconds = *hold_seconds};
  if (is_held) {
    terms.until = books.now() + std::chrono::seconds(*hold_seconds);
    books.open_hold({.key = entry.key, .quantity = entry.quantity, .expires_at = *terms.until});
  }
  entry.terms = text_of(terms);
  return terms.until;
}

OrderEntries::OrderEntries(const Books& books, ProductId product, const std::string& identity)
    : order(books.entry(product, identity)),
      cancelled(books.entry(product, cancelled_identity(identity))),
      confirmed(books.entry(product, confirmed_identity(identity))),
      expired(books.entry(product, expired_identity(identity))) {}

bool OrderEntries::was_taken() const {
  return order != nullptr &&
         (order->outcome == Outcome::accepted || order->outcome == Outcome::held);
}

bool OrderEntries::is_confirmed() const {
  return confirmed != nullptr && confirmed->outcome == Outcome::confirmed;
}

bool OrderEntries::is_open() const {
  return order != nullptr && order->outcome == Outcome::held && cancelled == nullptr &&
         expired == nullptr && !is_confirmed();
}

}  // namespace inventory::domain
