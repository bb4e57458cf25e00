#pragma once

// QueueTerms: the terms of a queue, as far as the broker tells them to a client that declares it:
// its type, and how often it delivers a message before it drops (or dead-letters) it.
//
// RabbitMQ tells them in the error text for a declaration that differs (406). The texts of 3.10 and
// 4.0 are understood; others, and those cut at 255 bytes, are ignored.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "amqp/method.h"

namespace amqp {

enum class QueueType { classic, quorum };

inline constexpr auto kDeliveryLimit = "x-delivery-limit";

// In effect no limit: no message is delivered this often. As of 4.0, RabbitMQ takes -1 for no
// limit, but with it 3.10 drops a message when it is first returned.
inline constexpr std::int64_t kNoDeliveryLimit = 2'147'483'647;

struct QueueTerms {
  std::optional<QueueType> type = {};               // empty: unknown, or a stream
  std::optional<std::int64_t> delivery_limit = {};  // empty: unknown. A policy may lower it

  // Whether a message may be dropped for being delivered too often; true if unknown.
  bool may_drop() const {
    return type != QueueType::classic && delivery_limit.value_or(0) < kNoDeliveryLimit;
  }

  friend bool operator==(const QueueTerms&, const QueueTerms&) = default;
};

// The difference between a queue and a declaration of it.
struct QueueDifference {
  std::string argument;
  std::optional<std::string> current;  // empty: it has no such argument
  std::string kind;                    // of the value, as RabbitMQ names it; empty: unknown

  bool is_quorum() const { return current == "quorum"; }
  std::optional<QueueType> type() const;

  // For a queue that differs in x-delivery-limit, on a broker of this version.
  std::optional<std::int64_t> delivery_limit(std::string_view broker_version) const;

  // The queue's own argument, if it can be repeated in a declaration.
  std::optional<method::QueueArgument> repeatable() const;
};

// "... inequivalent arg 'NAME' for queue ...: received ... but current is ..."
std::optional<QueueDifference> read_difference(std::string_view text);

}  // namespace amqp
