#pragma once

// The messages by which the service asks itself to give back the stock of a hold that is over:
// {"product_id": 1, "identity": "sA-17"}. They get no reply.

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "contract/request_error.h"
#include "domain/expiry.h"

namespace inventory::contract {

using ExpiryMessage = std::expected<domain::Expiry, RequestError>;

// Reads a body. One of more than bytes_max bytes is not parsed.
ExpiryMessage read_expiry(std::string_view body, std::size_t bytes_max);

std::string expiry_body(const domain::LedgerKey& hold);

}  // namespace inventory::contract
