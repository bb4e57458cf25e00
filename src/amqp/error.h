#pragma once

// Errors of the connection to the broker: one value for each way to handle them.

#include <algorithm>
#include <array>
#include <cstdint>
#include <expected>
#include <string>

namespace amqp {

enum class Fault {
  link_lost,  // the connection is lost, the outcome of anything outstanding unknown; reconnect
  refused,    // the broker refused, and closed the channel or connection: reply_code says why
  stopping,   // this side was asked to stop
};

struct Error {
  Fault fault;
  std::string what;              // what and where, with the broker's own words; never a credential
  std::uint16_t reply_code = 0;  // of channel.close or connection.close (AMQP 0-9-1, 1.2), else 0
};

// Whether the broker closed the channel or connection because of a message's content (AMQP 0-9-1,
// 1.2). RabbitMQ 3.10 answers a reply to some malformed direct reply-to addresses with 541.
inline bool blames_a_message(const Error& error) {
  constexpr std::array<std::uint16_t, 6> kCodes{406, 501, 502, 503, 505, 541};
  return std::ranges::find(kCodes, error.reply_code) != kCodes.end();
}

template <class T>
using Result = std::expected<T, Error>;

}  // namespace amqp
