#pragma once

// Decoder: the payloads of method frames and content header frames, read by rabbitmq-c.
//
// rabbitmq-c decodes tables by recursion without a limit: nested arrays in one frame of 128 KiB
// overflow the stack. So it never sees one: tables are cut out beforehand, and methods that a
// broker has no reason to send (some hold tables) are refused undecoded.
// Only its stateless functions are used (amqp_decode_method, amqp_decode_properties).
// amqp_handle_input would keep a second buffer of frames and abort()s when out of step.
//
// Errors: a text that says what is wrong; then the connection is to be given up.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>

#include "amqp/message.h"
#include "amqp/method.h"

struct amqp_pool_t_;

namespace amqp {

struct ContentHeader {
  std::uint64_t body_size = 0;
  Properties properties;
};

class Decoder {
 public:
  Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder();

  // Both change the payload's bytes.
  std::expected<method::Incoming, std::string> method(std::span<char> payload);
  std::expected<ContentHeader, std::string> content_header(std::span<char> payload);

 private:
  // rabbitmq-c's memory for what it decodes; emptied after each call.
  std::unique_ptr<amqp_pool_t_> pool_;
};

}  // namespace amqp
