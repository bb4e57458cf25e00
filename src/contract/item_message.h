#pragma once

// The messages of the queue inventory_new_item: JSON in, JSON out, as specified in
// docs/contract.md.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "contract/request_error.h"
#include "domain/item.h"

namespace inventory::contract {

// ItemMessage: a request body as parsed. A member is set if it is valid.
struct ItemMessage {
  std::optional<RequestError> error;
  std::optional<domain::Quantity> quantity;
  std::optional<std::string> description;
  std::optional<domain::ProductId> product_id;
  std::optional<domain::Quantity> low_stock;
};

// Reads a body. One of more than bytes_max bytes is not parsed.
ItemMessage read_item(std::string_view body, std::size_t bytes_max);

// The identity of an item request: its message_id, else its correlation_id, else none; an empty one
// counts as none. Properties may hold any bytes, but stores keep text: anything but UTF-8 without
// NUL is kept as hexadecimal, with another prefix, so that two identities never become one.
std::optional<std::string> item_identity(const std::optional<std::string>& message_id,
                                         const std::optional<std::string>& correlation_id);

// The partition for a new item without a product_id: the first four bytes of the SHA-256 of its
// message_id, else of its correlation_id, as a big-endian number, mod `count`. Who sends or routes
// such a request uses this, so that a repeated request comes to the same partition, which
// recognises it; store/postgres/divider.cpp computes the same in SQL. Empty: it has neither, and
// may go to any partition.
std::optional<std::uint32_t> item_partition(const std::optional<std::string>& message_id,
                                            const std::optional<std::string>& correlation_id,
                                            std::uint32_t count);

// The reply to a request that added an item, now or earlier, or that conflicts with an earlier one.
std::string item_reply(const domain::ItemDecision& decision);

// The reply to a request that is not valid, or that the database refused.
std::string invalid_item_reply(const ItemMessage& message, std::string_view what);

}  // namespace inventory::contract
