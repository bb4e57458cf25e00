#pragma once

// What an item is, and how requests to add items are decided.
//
// A request to add an item has an identity if its sender gave it one. The same identity is the
// same request: it adds one item, however often it arrives. The same identity with another quantity
// or description is a conflict, and adds none. Without one, each arrival adds an item.

#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "domain/order.h"

namespace inventory::domain {

// Microseconds: the resolution that the table and the replies keep.
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

// NewItem: a valid request. quantity >= 0 and below 2^53.
struct NewItem {
  std::optional<std::string> identity;  // at most 512 bytes of UTF-8 without NUL
  Quantity quantity;
  std::optional<std::string> description;  // at most 10,000 bytes of UTF-8 without NUL
  Timestamp created_at;                    // taken when the request was read
};

struct Item {
  ProductId id;
  Quantity quantity;
  std::optional<std::string> description;
  Timestamp created_at;

  friend bool operator==(const Item&, const Item&) = default;
};

// ItemDecision: the item that a request got. Replayed: as it was when it was added. Conflict:
// `conflicts_with` is the id of the item that was added under this identity; `item` is what was
// asked for, without an id, and nothing is stored.
struct ItemDecision {
  Item item;
  bool replayed = false;
  std::optional<ProductId> conflicts_with = std::nullopt;

  friend bool operator==(const ItemDecision&, const ItemDecision&) = default;
};

// AddedItem: an item to be written, under the identity of the request that asked for it.
struct AddedItem {
  std::optional<std::string> identity;
  Item item;

  friend bool operator==(const AddedItem&, const AddedItem&) = default;
};

struct ItemBatchOutcome {
  std::vector<ItemDecision> decisions;  // one a request, in the order of the requests
  std::vector<AddedItem> added;         // sorted by identity, those without one first
};

// Decides a batch. `earlier` holds the items that identities of this batch got before;
// `fresh_ids` are ids that no item has, at least one a request; they are used in order.
ItemBatchOutcome decide_items(std::span<const NewItem> requests,
                              const std::map<std::string, Item>& earlier,
                              std::span<const ProductId> fresh_ids);

}  // namespace inventory::domain
