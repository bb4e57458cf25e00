#pragma once

// Queues: the names of those that belong to a request queue (docs/contract.md), in one place.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace inventory::contract {

inline constexpr std::size_t kQueueNameBytesMax = 255;  // a short string of AMQP 0-9-1 (4.2.5.3)

inline constexpr std::string_view kDeadLetterSuffix = ".dlq";
inline constexpr std::string_view kKeptSuffix = ".undelivered";
inline constexpr std::string_view kExpirySuffix = ".expiry";
inline constexpr std::string_view kReserveSuffix = ".waiting";

// Where requests go that can never be processed.
inline std::string dead_letter_queue(std::string_view request_queue) {
  return std::string(request_queue) += kDeadLetterSuffix;
}

// What keeps the replies to its requests that their clients' queues did not take.
inline std::string kept_queue(std::string_view request_queue) {
  return std::string(request_queue) += kKeptSuffix;
}

// Where requests go that are for one partition of the products.
inline std::string partition_queue(std::string_view request_queue, std::uint32_t number) {
  return (std::string(request_queue) += '.') += std::to_string(number);
}

// What a partition's queue does not take now: the router keeps it there, in order.
inline std::string reserve_queue(std::string_view partition_queue) {
  return std::string(partition_queue) += kReserveSuffix;
}

// Where the service asks itself to give back what holds took that are over, unless a setting says
// otherwise.
inline std::string expiry_queue(std::string_view order_queue) {
  return std::string(order_queue) += kExpirySuffix;
}

}  // namespace inventory::contract
