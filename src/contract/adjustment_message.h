#pragma once

// The messages of the queue inventory_adjust: JSON in, JSON out, as specified in docs/contract.md.

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "contract/request_error.h"
#include "domain/adjustment.h"

namespace inventory::contract {

// AdjustmentMessage: a request body as parsed. A member is set if it is valid.
struct AdjustmentMessage {
  std::expected<domain::Adjustment, RequestError> adjustment;
  std::optional<domain::OrderId> id = std::nullopt;
  std::optional<domain::ProductId> product = std::nullopt;
};

// Reads a body. One of more than bytes_max bytes is not parsed.
AdjustmentMessage read_adjustment(std::string_view body, std::size_t bytes_max);

// Whether a text, which is UTF-8, is valid as a reason.
bool is_reason(std::string_view text);

// The message of a reply to an adjustment that expected another quantity.
inline constexpr std::string_view kInventoryHasChanged = "Inventory has changed";

// The reply to a decided adjustment.
std::string adjustment_reply(const AdjustmentMessage& message,
                             const domain::AdjustmentDecision& decision);

// Why an adjustment can never be done: the stock would exceed the maximum.
std::string beyond_limit_text(const AdjustmentMessage& message);

// The reply to a request that is not valid, or that the database refused.
std::string invalid_adjustment_reply(const AdjustmentMessage& message, std::string_view what);

}  // namespace inventory::contract
