#pragma once

// The messages of the queue inventory_new_item: JSON in, JSON out, as docs/contract.md has them.

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "contract/request_error.h"
#include "domain/item.h"

namespace inventory::contract {

// ItemMessage: a request body and what could be made of it. Members are there if they are valid.
struct ItemMessage {
  std::optional<RequestError> error;
  std::optional<domain::Quantity> quantity;
  std::optional<std::string> description;
  std::optional<domain::ProductId> product_id;
  std::optional<domain::Quantity> low_stock;
};

// Reads a body. One of more than bytes_max bytes is not looked at.
ItemMessage read_item(std::string_view body, std::size_t bytes_max);

// The identity of an item request: its message_id, or else its correlation_id, or none; an empty
// one is none. Properties may hold any bytes, the stores keep text: what is not UTF-8 without NUL
// is kept as hexadecimal, under another prefix, so that two identities never become one.
std::optional<std::string> item_identity(const std::optional<std::string>& message_id,
                                         const std::optional<std::string>& correlation_id);

// The reply to a request that added an item, now or earlier, or that conflicts with an earlier one.
std::string item_reply(const domain::ItemDecision& decision);

// The reply to a request that is not valid, or that the database refused.
std::string invalid_item_reply(const ItemMessage& message, std::string_view what);

}  // namespace inventory::contract
