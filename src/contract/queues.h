#pragma once

// Queues: the names of those that belong to a request queue (docs/contract.md), in one place.

#include <cstddef>
#include <string>
#include <string_view>

namespace inventory::contract {

inline constexpr std::size_t kQueueNameBytesMax = 255;  // a short string of AMQP 0-9-1 (4.2.5.3)

inline constexpr std::string_view kDeadLetterSuffix = ".dlq";
inline constexpr std::string_view kKeptSuffix = ".undelivered";

// Where requests go that can never be processed.
inline std::string dead_letter_queue(std::string_view request_queue) {
  return std::string(request_queue) += kDeadLetterSuffix;
}

// What keeps the replies to its requests that their clients' queues did not take.
inline std::string kept_queue(std::string_view request_queue) {
  return std::string(request_queue) += kKeptSuffix;
}

}  // namespace inventory::contract
