#pragma once

// What the broker's side answers when it cannot do what was asked: a value for each thing to do.

#include <cstdint>
#include <expected>
#include <string>

namespace amqp {

enum class Fault {
  link_lost,  // the connection is gone; what was outstanding on it is unknown; connect again
  refused,    // the broker said no and closed the channel or the connection: reply_code says why
  stopping,   // this side was asked to stop
};

struct Error {
  Fault fault;
  std::string what;              // what and where, with the broker's own words; never a credential
  std::uint16_t reply_code = 0;  // of channel.close or connection.close (AMQP 0-9-1, 1.2), else 0
};

template <class T>
using Result = std::expected<T, Error>;

}  // namespace amqp
