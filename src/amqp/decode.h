#pragma once

// Decoder: the payloads of method frames, read by rabbitmq-c, and of content header frames.
//
// rabbitmq-c decodes tables by recursion without a limit: nested arrays in one frame of 128 KiB
// overflow the stack. So it never sees one: methods that a broker has no reason to send (some hold
// tables) are refused undecoded, the table of connection.start is cut out beforehand.
// Only its stateless function amqp_decode_method is used. amqp_handle_input would keep a second
// buffer of frames and abort()s when out of step; amqp_decode_properties gives nothing of what it
// has understood before an error.
//
// Errors: a text that says what is wrong; then the connection is to be given up, for nobody knows
//         what follows. Properties that cannot be decoded are no such error: they concern their
//         message only.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "amqp/message.h"
#include "amqp/method.h"

struct amqp_pool_t_;

namespace amqp {

struct ContentHeader {
  std::uint64_t body_size = 0;
  Properties properties;                   // those that were understood
  std::optional<std::string> undecodable;  // why not all were
};

class Decoder {
 public:
  Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder();

  // Changes the payload's bytes.
  std::expected<method::Incoming, std::string> method(std::span<char> payload);

 private:
  // rabbitmq-c's memory for what it decodes; emptied after each call.
  std::unique_ptr<amqp_pool_t_> pool_;
};

// size: of the payload as it was sent, of which what is here may be only the beginning.
//
// A flag that the class basic does not define hides nothing: the properties that it does define
// come first. RabbitMQ passes such flags on, and takes the last bit, which would announce more
// flags, for one of them: so the values follow at once, and if they do not end where the header
// does, they were read wrongly.
// What is understood can be published again: RabbitMQ closes the connection that publishes a
// malformed table.
std::expected<ContentHeader, std::string> decode_content_header(std::span<const char> payload,
                                                                std::size_t size);

}  // namespace amqp
