#pragma once

// Queues: the names of the queues that belong to a request queue (docs/contract.md).

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
inline constexpr std::string_view kReplySuffix = "_response";

// Takes the requests that can never be processed.
inline std::string dead_letter_queue(std::string_view request_queue) {
  return std::string(request_queue) += kDeadLetterSuffix;
}

// Keeps the replies that the clients' queues did not take.
inline std::string kept_queue(std::string_view request_queue) {
  return std::string(request_queue) += kKeptSuffix;
}

// Takes the replies to requests without a reply_to, unless a setting names another queue.
inline std::string reply_queue(std::string_view request_queue) {
  return std::string(request_queue) += kReplySuffix;
}

// Takes the requests for one partition of the products.
inline std::string partition_queue(std::string_view request_queue, std::uint32_t number) {
  return (std::string(request_queue) += '.') += std::to_string(number);
}

// Where the router keeps, in order, what a partition's queue does not take now.
inline std::string reserve_queue(std::string_view partition_queue) {
  return std::string(partition_queue) += kReserveSuffix;
}

// Exists while a router reads such a queue, which no other may do then. It holds no messages.
inline std::string reserve_lock(std::string_view reserve_queue) {
  return std::string(reserve_queue) += ".lock";
}

// Where the service asks itself to give back the stock of holds that are over, unless a setting
// names another queue.
inline std::string expiry_queue(std::string_view order_queue) {
  return std::string(order_queue) += kExpirySuffix;
}

}  // namespace inventory::contract
