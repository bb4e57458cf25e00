#pragma once

// Decoder: decodes the payloads of method frames, with rabbitmq-c, and of content header frames.
//
// rabbitmq-c decodes tables by unlimited recursion: nested arrays in one frame of 128 KiB overflow
// the stack. So it never gets a table: methods that a broker has no reason to send (some contain
// tables) are refused undecoded, and the table of connection.start is cut out beforehand. Only its
// stateless function amqp_decode_method is used. amqp_handle_input would keep a second frame buffer
// and abort()s when out of step; after an error, amqp_decode_properties returns none of the
// properties before it.
//
// Errors: a text that says what is wrong; the connection must then be closed, since what follows
//         cannot be interpreted. Properties that cannot be decoded are no such error: they affect
//         only their message.

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
  Properties properties;                   // those that were decoded
  std::optional<std::string> undecodable;  // why not all could be decoded
};

class Decoder {
 public:
  Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder();

  // May change the payload's bytes.
  std::expected<method::Incoming, std::string> method(std::span<char> payload);

 private:
  // rabbitmq-c's memory for what it decodes; emptied after each call.
  std::unique_ptr<amqp_pool_t_> pool_;
};

// size: of the payload as sent; `payload` may be only its beginning.
//
// Property flags that the class basic does not define do no harm, since the defined properties come
// first. RabbitMQ passes such flags on, even the last bit, which should announce more flags: so the
// values always follow at once, and if they do not end with the header, they were misread.
// Decoded properties can be published again: RabbitMQ closes a connection that publishes a
// malformed table.
std::expected<ContentHeader, std::string> decode_content_header(std::span<const char> payload,
                                                                std::size_t size);

}  // namespace amqp
