#pragma once

// The messages of the queue order_confirm: JSON in, JSON out, as specified in docs/contract.md. A
// request to order_validate is valid here as it is.

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "contract/request_error.h"
#include "domain/confirmation.h"

namespace inventory::contract {

// ConfirmationMessage: a request body as parsed.
struct ConfirmationMessage {
  std::expected<domain::Confirmation, RequestError> confirmation;
  std::optional<domain::OrderId> order_id;  // if that member is valid, even if others are not
  std::string_view object;                  // the JSON object as it came; else empty
};

// Reads a body. One of more than bytes_max bytes is not parsed. `object` points into `body`.
ConfirmationMessage read_confirmation(std::string_view body, std::size_t bytes_max);

// The reply to a decided confirmation.
std::string confirmation_reply(const ConfirmationMessage& message,
                               const domain::ConfirmationDecision& decision);

// The reply to a request that is not valid, or that the database refused.
std::string invalid_confirmation_reply(const ConfirmationMessage& message, std::string_view what);

}  // namespace inventory::contract
