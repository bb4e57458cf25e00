#pragma once

// message_id: what a sender calls its message; the ledger keeps its hash beside the decision.

#include <cstdint>
#include <optional>
#include <string>

#include "domain/ledger.h"

namespace inventory::service {

// Empty if the message has none.
inline std::optional<std::int64_t> hash_of(const std::optional<std::string>& message_id) {
  if (!message_id || message_id->empty()) return std::nullopt;
  return domain::stable_hash(*message_id);
}

}  // namespace inventory::service
