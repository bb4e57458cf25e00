#pragma once

// The messages of the queue order_cancel: JSON in, JSON out, as specified in docs/contract.md. A
// request to order_validate is valid here as it is.

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "contract/request_error.h"
#include "domain/cancellation.h"

namespace inventory::contract {

// CancellationMessage: a request body as parsed.
struct CancellationMessage {
  std::expected<domain::Cancellation, RequestError> cancellation;
  std::optional<domain::OrderId> order_id;  // if that member is valid, even if others are not
  std::string_view object;                  // the JSON object as it came; else empty
};

// Reads a body. One of more than bytes_max bytes is not parsed. `object` points into `body`.
CancellationMessage read_cancellation(std::string_view body, std::size_t bytes_max);

// The reply to a decided cancellation.
std::string cancellation_reply(const CancellationMessage& message,
                               const domain::CancellationDecision& decision);

// Why nothing was given back: the stock would exceed the maximum.
std::string beyond_limit_text(const domain::CancellationDecision& decision);

// The reply to a request that is not valid, or that the database refused.
std::string invalid_cancellation_reply(const CancellationMessage& message, std::string_view what);

}  // namespace inventory::contract
