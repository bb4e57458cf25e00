#include "domain/order.h"

#include <charconv>
#include <utility>

#include "domain/books.h"
#include "domain/hold.h"

namespace inventory::domain {
namespace {

std::optional<std::int64_t> read_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole ? std::optional(number) : std::nullopt;
}

}  // namespace

std::string OrderId::ledger_identity() const {
  if (const auto* text = std::get_if<std::string>(&value_)) {
    std::string identity;
    identity.reserve(1 + text->size());
    return identity.append(1, 's').append(*text);
  }
  return "i" + display();
}

std::string OrderId::display() const {
  if (const auto* number = std::get_if<std::int64_t>(&value_)) {
    return std::to_string(*number);
  }
  return std::get<std::string>(value_);
}

std::string order_identity(const OrderId& id, const std::optional<OrderId>& line) {
  if (!line) {
    return id.ledger_identity();
  }
  const std::string line_identity = line->ledger_identity();
  return "l" + std::to_string(line_identity.size()) + ":" + line_identity + id.ledger_identity();
}

std::optional<OrderName> read_order_identity(std::string_view identity) {
  const auto read_id = [](std::string_view part) -> std::optional<OrderId> {
    if (part.starts_with('s')) return OrderId(std::string(part.substr(1)));
    if (!part.starts_with('i')) return std::nullopt;
    const auto number = read_number(part.substr(1));
    return number ? std::optional(OrderId(*number)) : std::nullopt;
  };
  std::optional<OrderId> line;
  if (identity.starts_with('l')) {
    const std::size_t colon = identity.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto size = read_number(identity.substr(1, colon - 1));
    identity.remove_prefix(colon + 1);
    if (!size || *size < 0 || std::cmp_greater(*size, identity.size())) return std::nullopt;
    line = read_id(identity.substr(0, static_cast<std::size_t>(*size)));
    if (!line) return std::nullopt;
    identity.remove_prefix(static_cast<std::size_t>(*size));
  }
  auto id = read_id(identity);
  if (!id) return std::nullopt;
  return OrderName{.id = *std::move(id), .line = std::move(line)};
}

bool is_another_message(const std::optional<std::int64_t>& hash,
                        const std::optional<std::int64_t>& earlier) {
  return hash && earlier && *hash != *earlier;
}

bool has_hold(const LedgerEntry& earlier, const std::optional<std::int64_t>& seconds) {
  const auto terms = hold_terms(earlier);
  return terms ? seconds && terms->seconds == *seconds : !seconds;
}

void add_needs(const Order& order, Needs& needs) {
  needs.now = needs.now || order.hold_seconds;
  needs.products.push_back(order.product);
  needs.entries.emplace_back(order.product, order.ledger_identity());
}

OrderDecision decide(const Order& order, Books& books) {
  LedgerKey key(order.product, order.ledger_identity());
  if (const auto* earlier = books.entry(key.first, key.second)) {
    if (earlier->outcome == Outcome::cancelled_first) {
      return {.outcome = earlier->outcome, .replayed = true};
    }
    const auto terms = hold_terms(*earlier);
    if (earlier->quantity != order.quantity || !has_hold(*earlier, order.hold_seconds)) {
      return {.outcome = earlier->outcome,
              .conflicts_with = earlier->quantity,
              .hold_of_conflict = terms ? std::optional(terms->seconds) : std::nullopt};
    }
    return {.outcome = earlier->outcome,
            .replayed = true,
            .held_until = terms ? terms->until : std::nullopt,
            .may_be_another_line =
                !order.line && is_another_message(order.message_hash, earlier->message_hash)};
  }
  const Stock* const stock = books.stock(order.product);
  const Outcome outcome = stock == nullptr                   ? Outcome::product_not_found
                          : stock->quantity < order.quantity ? Outcome::not_enough_stock
                          : order.hold_seconds               ? Outcome::held
                                                             : Outcome::accepted;
  LedgerEntry entry{.key = std::move(key),
                    .outcome = outcome,
                    .quantity = order.quantity,
                    .message_hash = order.message_hash};
  const auto until = take(entry, order.hold_seconds, books);
  books.post(std::move(entry));
  return {.outcome = outcome, .held_until = until};
}

std::vector<ProductId> products_of(const Order& order) { return {order.product}; }

Outcome outcome_of(const OrderDecision& decision) {
  return decision.conflicts_with ? Outcome::conflict : decision.outcome;
}

}  // namespace inventory::domain
