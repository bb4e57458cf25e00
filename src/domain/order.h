#pragma once

// What an order line is, and what can be decided of it.
//
// An order's identity is its order id together with its product id, and its line if it has one: the
// same ones are the same order, however often it arrives.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace inventory::domain {

using ProductId = std::int64_t;
using Quantity = std::int64_t;

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

// Order: a valid request for stock. product >= 1, quantity >= 1; both below 2^53.
struct Order {
  OrderId id;
  ProductId product;
  Quantity quantity;
  std::optional<OrderId> line = std::nullopt;  // tells lines of one order for one product apart

  // The identity under which the ledger keeps the decision: that of the order id; with a line
  // l<length>:<identity of the line><identity of the order id>, l3:i10sA-17 for line 10 of "A-17".
  // The length, in bytes, says where the one ends, so that no two pairs have the same; no identity
  // of another kind begins with l.
  std::string ledger_identity() const;
};

enum class Verdict : std::uint8_t {
  accepted,           // stock was lowered by the quantity
  product_not_found,  // stock untouched
  not_enough_stock,   // stock untouched
};

// EarlierDecision: what the ledger says about an order that was seen before.
struct EarlierDecision {
  Verdict verdict;
  Quantity quantity;

  friend bool operator==(const EarlierDecision&, const EarlierDecision&) = default;
};

// OrderDecision: what one request gets. Exactly one of three:
//   new       `replayed` false, no `conflicts_with`: `verdict` was taken now, and is in the ledger;
//   replayed  `replayed` true: `verdict` is the one that this order got the first time;
//   conflict  `conflicts_with` holds the quantity that was decided under this identity before; the
//             request is rejected, nothing is stored, and `verdict` means nothing.
struct OrderDecision {
  Verdict verdict;
  bool replayed = false;
  std::optional<Quantity> conflicts_with = std::nullopt;

  friend bool operator==(const OrderDecision&, const OrderDecision&) = default;
};

}  // namespace inventory::domain
