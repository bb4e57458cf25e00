#pragma once

// Items, and how requests to add them are decided.
//
// A request to add an item has an identity if its sender gave it one. The same identity means the
// same request: it adds one item, however often it arrives. The same identity with other content is
// a conflict, and adds none. Without an identity, each arrival adds an item.
//
// A request may choose the item's id. If that id is taken, the request is rejected, and the
// rejection is stored like any decision.

#include <optional>
#include <string>
#include <vector>

#include "domain/ledger.h"
#include "domain/timestamp.h"

namespace inventory::domain {

class Books;
struct Needs;

// The largest id that may be chosen, so that there are always larger ones.
inline constexpr ProductId kChosenIdMax = ProductId{1} << 52U;

// NewItem: a valid request. quantity >= 0 and below 2^53.
struct NewItem {
  std::optional<std::string> identity;  // at most 512 bytes of UTF-8 without NUL
  Quantity quantity;
  std::optional<std::string> description;             // at most 10,000 bytes of UTF-8 without NUL
  Timestamp created_at;                               // taken when the request was read
  std::optional<ProductId> chosen_id = std::nullopt;  // at least 1, at most kChosenIdMax
  std::optional<Quantity> low_stock = std::nullopt;   // >= 0; stock at or below it is called low
};

struct Item {
  ProductId id;
  Quantity quantity;
  std::optional<std::string> description;
  Timestamp created_at;
  std::optional<Quantity> low_stock = std::nullopt;

  friend bool operator==(const Item&, const Item&) = default;
};

// ItemDecision: the item that a request got. Replayed: as it was when it was added. Conflict:
// `conflicts_with` is the id of the item that was added, or asked for, under this identity; `item`
// is what was asked for, without an id, and nothing is stored. Rejected, since the chosen id is
// taken: `item` has no id either.
struct ItemDecision {
  Item item;
  bool replayed = false;
  std::optional<ProductId> conflicts_with = std::nullopt;
  bool is_taken = false;

  friend bool operator==(const ItemDecision&, const ItemDecision&) = default;
};

// AddedItem: an item to be written. `stock` is its stock at the end of the batch.
struct AddedItem {
  Item item;
  Stock stock = {};

  friend bool operator==(const AddedItem&, const AddedItem&) = default;
};

// ItemAnswer: what the request with this identity got: the item as it was then; without an id if
// the request was rejected.
struct ItemAnswer {
  std::string identity;
  std::optional<ProductId> id;
  Quantity quantity;
  std::optional<std::string> description;
  Timestamp created_at;
  std::optional<ProductId> chosen_id = std::nullopt;
  std::optional<Quantity> low_stock = std::nullopt;

  friend bool operator==(const ItemAnswer&, const ItemAnswer&) = default;
};

void add_needs(const NewItem& request, Needs& needs);
ItemDecision decide(const NewItem& request, Books& books);
std::vector<ProductId> products_of(const NewItem& request);
Outcome outcome_of(const ItemDecision& decision);

}  // namespace inventory::domain
