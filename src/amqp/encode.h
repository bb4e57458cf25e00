#pragma once

// Encoding: appends frames to a buffer of bytes to be written, with rabbitmq-c.
//
// Each function appends whole frames and returns true; or appends nothing and returns false, if a
// name or property has more than 255 bytes or the properties do not fit in a frame.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "amqp/message.h"
#include "amqp/method.h"

namespace amqp {

void append_protocol_header(std::string& out);
void append_heartbeat(std::string& out);

bool append(std::string& out, std::uint16_t channel, const method::ConnectionStartOk& start_ok);
bool append(std::string& out, std::uint16_t channel, const method::ConnectionTuneOk& tune_ok);
bool append(std::string& out, std::uint16_t channel, const method::ConnectionOpen& open);
bool append(std::string& out, std::uint16_t channel, const method::ConnectionClose& close);
bool append(std::string& out, std::uint16_t channel, const method::ConnectionCloseOk& close_ok);
bool append(std::string& out, std::uint16_t channel, const method::ChannelOpen& open);
bool append(std::string& out, std::uint16_t channel, const method::ChannelClose& close);
bool append(std::string& out, std::uint16_t channel, const method::ChannelCloseOk& close_ok);
bool append(std::string& out, std::uint16_t channel, const method::QueueDeclare& declare);
bool append(std::string& out, std::uint16_t channel, const method::QueueDelete& remove);
bool append(std::string& out, std::uint16_t channel, const method::ExchangeDeclare& declare);
bool append(std::string& out, std::uint16_t channel, const method::BasicQos& qos);
bool append(std::string& out, std::uint16_t channel, const method::BasicConsume& consume);
bool append(std::string& out, std::uint16_t channel, const method::BasicCancel& cancel);
bool append(std::string& out, std::uint16_t channel, const method::BasicPublish& publish);
bool append(std::string& out, std::uint16_t channel, const method::BasicGet& get);
bool append(std::string& out, std::uint16_t channel, const method::BasicAck& ack);
bool append(std::string& out, std::uint16_t channel, const method::BasicNack& nack);
bool append(std::string& out, std::uint16_t channel, const method::ConfirmSelect& select);

// basic.publish with its content header and body frames. `message_id`, if given, replaces the
// message's own. frame_max: as negotiated, in bytes.
bool append_message(std::string& out, std::uint16_t channel, std::size_t frame_max,
                    const Message& message, std::optional<std::string_view> message_id);

}  // namespace amqp
