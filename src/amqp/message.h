#pragma once

// Messages consumed and published: a body with properties (AMQP 0-9-1, class basic).

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "amqp/header_table.h"

namespace amqp {

// Properties: each is optional, as on the wire. Strings are at most 255 arbitrary bytes.
struct Properties {
  std::optional<std::string> content_type;
  std::optional<std::string> content_encoding;
  std::optional<HeaderTable> headers;
  std::optional<std::uint8_t> delivery_mode;  // 2: persistent
  std::optional<std::uint8_t> priority;
  std::optional<std::string> correlation_id;
  std::optional<std::string> reply_to;
  std::optional<std::string> expiration;
  std::optional<std::string> message_id;
  std::optional<std::uint64_t> timestamp;
  std::optional<std::string> type;
  std::optional<std::string> user_id;
  std::optional<std::string> app_id;
  std::optional<std::string> cluster_id;

  friend bool operator==(const Properties&, const Properties&) = default;
};

// Message: a message to publish. With the default exchange, routing_key is the name of a queue.
struct Message {
  std::string routing_key;  // at most 255 bytes
  Properties properties;
  std::string body;
  bool mandatory = true;  // the broker returns it if there is no such queue
  // If false, a missing message_id is generated, so that a returned message can be matched.
  bool keeps_properties = false;
  std::string exchange = {};  // at most 255 bytes; empty: the default exchange
};

struct Delivery {
  std::uint64_t delivery_tag = 0;
  bool redelivered = false;
  Properties properties;
  std::string body;
  std::chrono::steady_clock::time_point received_at{};  // by this process
  // Why the content could not be decoded, if so: `properties` are then those that could be decoded,
  // and the body is as received.
  std::optional<std::string> undecodable = std::nullopt;
};

}  // namespace amqp
