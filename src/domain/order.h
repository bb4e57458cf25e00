#pragma once

// Order lines and how they are decided.
//
// An order's identity is its order id together with its product id, and its line if it has one. The
// same identity means the same order, however often it arrives.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "domain/ledger.h"
#include "domain/timestamp.h"

namespace inventory::domain {

class Books;
struct Needs;

// OrderId: the sender's name for an order. An integer and the string of its digits differ.
class OrderId {
 public:
  explicit OrderId(std::int64_t number) : value_(number) {}
  explicit OrderId(std::string text) : value_(std::move(text)) {}

  const std::variant<std::int64_t, std::string>& value() const { return value_; }

  // As a part of identities: `i42` for 42, `s42` for "42".
  std::string ledger_identity() const;

  // As a person would write it: 42, or the string without quotes.
  std::string display() const;

  friend bool operator==(const OrderId&, const OrderId&) = default;

 private:
  std::variant<std::int64_t, std::string> value_;
};

// The identity of an order: that of its order id; with a line l<length>:<identity of the
// line><identity of the order id>, such as l3:i10sA-17 for line 10 of "A-17". The length, in bytes,
// says where the line's identity ends, so that no two pairs share one; no identity of another kind
// begins with l.
std::string order_identity(const OrderId& id, const std::optional<OrderId>& line);

// The ids from which such an identity was made; empty if it is not one.
struct OrderName {
  OrderId id;
  std::optional<OrderId> line = std::nullopt;

  friend bool operator==(const OrderName&, const OrderName&) = default;
};
std::optional<OrderName> read_order_identity(std::string_view identity);

// Order: a valid request for stock. product >= 1, quantity >= 1; both below 2^53.
struct Order {
  OrderId id;
  ProductId product;
  Quantity quantity;
  std::optional<OrderId> line = std::nullopt;  // tells lines of one order for one product apart
  std::optional<std::int64_t> message_hash = std::nullopt;  // of its message's id, if it has one
  std::optional<std::int64_t> hold_seconds = std::nullopt;  // 1 to kHoldSecondsMax; see hold.h

  // The identity under which the ledger keeps the decision.
  std::string ledger_identity() const { return order_identity(id, line); }
};

// OrderDecision: what one request gets. Exactly one of three:
//   new       `replayed` false, no `conflicts_with`: `outcome` was decided now, and is in the
//             ledger;
//   replayed  `replayed` true: `outcome` is the one that this order got the first time;
//   conflict  `conflicts_with` holds the quantity that was decided under this identity before, and
//             `hold_of_conflict` its hold; the request is rejected, nothing is stored, and
//             `outcome` means nothing.
struct OrderDecision {
  Outcome outcome;
  bool replayed = false;
  std::optional<Quantity> conflicts_with = std::nullopt;
  std::optional<std::int64_t> hold_of_conflict = std::nullopt;  // seconds; empty: no hold
  std::optional<Timestamp> held_until = std::nullopt;           // if it was held

  // A replay without a line, whose first message had another message_id: perhaps it is not a
  // repetition but a second line of the order for the same product.
  bool may_be_another_line = false;

  friend bool operator==(const OrderDecision&, const OrderDecision&) = default;
};

// Whether two messages with the same order are certainly different: their message_ids differ.
bool is_another_message(const std::optional<std::int64_t>& hash,
                        const std::optional<std::int64_t>& earlier);

// Whether the entry's order asked for the same hold (or, like this one, for none).
bool has_hold(const LedgerEntry& earlier, const std::optional<std::int64_t>& seconds);

void add_needs(const Order& order, Needs& needs);
OrderDecision decide(const Order& order, Books& books);
std::vector<ProductId> products_of(const Order& order);
Outcome outcome_of(const OrderDecision& decision);

}  // namespace inventory::domain
