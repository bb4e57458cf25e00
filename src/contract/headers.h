#pragma once

// Headers: the names of all headers that the service adds to messages or reads (docs/contract.md).

#include <string_view>

namespace inventory::contract::headers {

// Of replies.
inline constexpr std::string_view kReplayed = "idempotent-replayed";  // true
inline constexpr std::string_view kTraceParent = "traceparent";       // copied from the request
inline constexpr std::string_view kTraceState = "tracestate";         // the same

// Of dead letters.
inline constexpr std::string_view kErrorReason = "error-reason";
inline constexpr std::string_view kErrorMessage = "error-message";
inline constexpr std::string_view kOriginalQueue = "original-queue";
inline constexpr std::string_view kFailedAt = "failed-at";
inline constexpr std::string_view kOriginalExpiration = "original-expiration";
inline constexpr std::string_view kOriginalUserId = "original-user-id";
inline constexpr std::string_view kOriginalCc = "original-CC";
inline constexpr std::string_view kOriginalBcc = "original-BCC";
inline constexpr std::string_view kBodyDropped = "body-dropped";        // "2000 bytes"
inline constexpr std::string_view kHeadersDropped = "headers-dropped";  // true

// Of requests that the router passes on: why it could not decode the content, of which it passes on
// only a part. The service refuses such a request like one that it cannot decode itself.
inline constexpr std::string_view kUndecodable = "content-undecodable";

// The broker's own. CC and BCC act when a message is published.
inline constexpr std::string_view kCc = "CC";
inline constexpr std::string_view kBcc = "BCC";
inline constexpr std::string_view kDeliveryCount = "x-delivery-count";  // of quorum queues
inline constexpr std::string_view kAcquiredCount = "x-acquired-count";  // the same
inline constexpr std::string_view kDeath = "x-death";  // the broker dead-lettered the message

}  // namespace inventory::contract::headers
