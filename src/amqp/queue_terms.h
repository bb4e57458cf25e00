#pragma once

// QueueTerms: what a queue is, as far as the broker tells those who declare it: which type, and how
// often it delivers a message before it drops it (or dead-letters it).
//
// RabbitMQ tells it in its words for a declaration that differs (406). They are read as those of
// 3.10 and 4.0; others, and those that were cut off at 255 bytes, tell nothing.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "amqp/method.h"

namespace amqp {

enum class QueueType { classic, quorum };

inline constexpr auto kDeliveryLimit = "x-delivery-limit";

// A limit that is none: no message is delivered as often. RabbitMQ takes -1 for none as of 4.0, but
// 3.10 drops at the first return then.
inline constexpr std::int64_t kNoDeliveryLimit = 2'147'483'647;

struct QueueTerms {
  std::optional<QueueType> type = {};               // nothing: unknown, or a stream
  std::optional<std::int64_t> delivery_limit = {};  // nothing: unknown. A policy may lower it

  // Whether a message may be dropped for having been delivered too often; unknown is yes.
  bool may_drop() const {
    return type != QueueType::classic && delivery_limit.value_or(0) < kNoDeliveryLimit;
  }

  friend bool operator==(const QueueTerms&, const QueueTerms&) = default;
};

// In what a queue differs from a declaration of it.
struct QueueDifference {
  std::string argument;
  std::optional<std::string> current;  // nothing: it has no such argument
  std::string kind;                    // of the value, as RabbitMQ names it; empty: not told

  bool is_quorum() const { return current == "quorum"; }
  std::optional<QueueType> type() const;

  // Of a queue that differs in x-delivery-limit, at a broker of this version.
  std::optional<std::int64_t> delivery_limit(std::string_view broker_version) const;

  // The argument as the queue has it, if it can be given in a declaration.
  std::optional<method::QueueArgument> repeatable() const;
};

// "... inequivalent arg 'NAME' for queue ...: received ... but current is ..."
std::optional<QueueDifference> read_difference(std::string_view text);

}  // namespace amqp
