#include "amqp/encode.h"

#include <algorithm>
#include <array>

#include "amqp/frame.h"
#include "amqp/rabbitmq_c.h"
#include "amqp/wire.h"

namespace amqp {
namespace {

constexpr std::size_t kMethodIdSize = 4;
constexpr std::size_t kShortStringMax = 255;

// rabbitmq-c only reads the bytes that it encodes, although its types are not const.
amqp_bytes_t bytes(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }

amqp_table_entry_t entry(std::string_view name, std::string_view value) {
  amqp_table_entry_t result{};
  result.key = bytes(name);
  result.value.kind = AMQP_FIELD_KIND_UTF8;
  result.value.value.bytes = bytes(value);
  return result;
}

amqp_table_entry_t entry(std::string_view name, std::int64_t value) {
  amqp_table_entry_t result{};
  result.key = bytes(name);
  result.value.kind = AMQP_FIELD_KIND_I64;
  result.value.value.i64 = value;
  return result;
}

constexpr std::size_t kTableEntryOverhead = 16;  // lengths, type, an integer

amqp_table_entry_t entry(std::string_view name) {
  amqp_table_entry_t result{};
  result.key = bytes(name);
  result.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  result.value.value.boolean = 1;
  return result;
}

// strings_size: the bytes of all strings and tables in `fields`; the rest fits in 64 bytes.
template <class Fields>
bool append_method(std::string& out, std::uint16_t channel, amqp_method_number_t id, Fields fields,
                   std::size_t strings_size = 0) {
  const std::size_t begin = out.size();
  const std::size_t room = 64 + strings_size;
  out.resize_and_overwrite(
      begin + kFrameOverhead + kMethodIdSize + room, [&](char* data, std::size_t) {
        char* const frame = data + begin;
        char* const arguments = frame + kFrameHeaderSize + kMethodIdSize;
        const int encoded = amqp_encode_method(id, &fields, {room, arguments});
        if (encoded < 0) return begin;
        const auto size = static_cast<std::size_t>(encoded);
        write_frame_header(frame, FrameType::method, channel, kMethodIdSize + size);
        write_integer(frame + kFrameHeaderSize, std::uint32_t{id});
        arguments[size] = kFrameEnd;
        return begin + kFrameOverhead + kMethodIdSize + size;
      });
  return out.size() != begin;
}

// All except the headers, which are inserted as raw bytes.
amqp_basic_properties_t fields(const Properties& properties,
                               std::optional<std::string_view> message_id) {
  amqp_basic_properties_t result{};
  const auto put = [&result](unsigned flag, amqp_bytes_t& field, const auto& property) {
    if (!property) return;
    result._flags |= flag;
    field = bytes(*property);
  };
  put(AMQP_BASIC_CONTENT_TYPE_FLAG, result.content_type, properties.content_type);
  put(AMQP_BASIC_CONTENT_ENCODING_FLAG, result.content_encoding, properties.content_encoding);
  if (properties.delivery_mode) {
    result._flags |= AMQP_BASIC_DELIVERY_MODE_FLAG;
    result.delivery_mode = *properties.delivery_mode;
  }
  if (properties.priority) {
    result._flags |= AMQP_BASIC_PRIORITY_FLAG;
    result.priority = *properties.priority;
  }
  put(AMQP_BASIC_CORRELATION_ID_FLAG, result.correlation_id, properties.correlation_id);
  put(AMQP_BASIC_REPLY_TO_FLAG, result.reply_to, properties.reply_to);
  put(AMQP_BASIC_EXPIRATION_FLAG, result.expiration, properties.expiration);
  put(AMQP_BASIC_MESSAGE_ID_FLAG, result.message_id, properties.message_id);
  put(AMQP_BASIC_MESSAGE_ID_FLAG, result.message_id, message_id);
  if (properties.timestamp) {
    result._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
    result.timestamp = *properties.timestamp;
  }
  put(AMQP_BASIC_TYPE_FLAG, result.type, properties.type);
  put(AMQP_BASIC_USER_ID_FLAG, result.user_id, properties.user_id);
  put(AMQP_BASIC_APP_ID_FLAG, result.app_id, properties.app_id);
  put(AMQP_BASIC_CLUSTER_ID_FLAG, result.cluster_id, properties.cluster_id);
  return result;
}

// Inserts the headers' bytes into encoded properties, after content-type and content-encoding.
void insert_headers(std::string& out, std::size_t encoded_begin, const Properties& properties,
                    const std::string& table) {
  const auto flags = read_integer<std::uint16_t>(out.data() + encoded_begin);
  write_integer(out.data() + encoded_begin,
                static_cast<std::uint16_t>(flags | AMQP_BASIC_HEADERS_FLAG));
  std::size_t position = encoded_begin + 2;
  if (properties.content_type) position += 1 + properties.content_type->size();
  if (properties.content_encoding) position += 1 + properties.content_encoding->size();
  out.insert(position, 4 + table.size(), '\0');
  write_integer(out.data() + position, static_cast<std::uint32_t>(table.size()));
  table.copy(out.data() + position + 4, table.size());
}

bool append_content_header(std::string& out, std::uint16_t channel, std::size_t frame_max,
                           const Message& message, std::optional<std::string_view> message_id) {
  const std::size_t begin = out.size();
  const std::size_t encoded_begin = begin + kFrameHeaderSize + kContentHeaderFixedSize;
  // Flags, ten strings with their lengths, and properties that are not strings.
  constexpr std::size_t kRoom = 2 + (10 * (1 + kShortStringMax)) + 10;
  if (message.properties.headers && message.properties.headers->encoded().size() > frame_max) {
    return false;
  }
  auto encodable = fields(message.properties, message_id);
  out.resize_and_overwrite(encoded_begin + kRoom, [&](char* data, std::size_t) {
    const int encoded =
        amqp_encode_properties(kBasicClass, &encodable, {kRoom, data + encoded_begin});
    return encoded < 0 ? begin : encoded_begin + static_cast<std::size_t>(encoded);
  });
  if (out.size() == begin) return false;
  if (const auto& headers = message.properties.headers) {
    insert_headers(out, encoded_begin, message.properties, headers->encoded());
  }
  out.push_back(kFrameEnd);
  if (out.size() - begin > frame_max) {
    out.resize(begin);
    return false;
  }
  char* const frame = out.data() + begin;
  write_frame_header(frame, FrameType::header, channel, out.size() - begin - kFrameOverhead);
  write_integer(frame + kFrameHeaderSize, kBasicClass);
  write_integer(frame + kFrameHeaderSize + 2, std::uint16_t{0});
  write_integer(frame + kFrameHeaderSize + 4, std::uint64_t{message.body.size()});
  return true;
}

}  // namespace

void append_protocol_header(std::string& out) { out.append("AMQP\0\0\x9\1", 8); }

void append_heartbeat(std::string& out) {
  const std::size_t begin = out.size();
  out.resize(begin + kFrameOverhead);
  write_frame_header(out.data() + begin, FrameType::heartbeat, 0, 0);
  out.back() = kFrameEnd;
}

bool append(std::string& out, std::uint16_t channel, const method::ConnectionStartOk& start_ok) {
  std::array capabilities{
      entry("authentication_failure_close"),
      entry("basic.nack"),
      entry("connection.blocked"),
      // Without it, a consumer is not told that its queue was deleted.
      entry("consumer_cancel_notify"),
      entry("publisher_confirms"),
  };
  amqp_table_entry_t capabilities_entry{};
  capabilities_entry.key = bytes("capabilities");
  capabilities_entry.value.kind = AMQP_FIELD_KIND_TABLE;
  capabilities_entry.value.value.table = {capabilities.size(), capabilities.data()};
  std::array properties{
      entry("product", "amqp-asio"),
      entry("platform", "C++"),
      entry("connection_name", start_ok.connection_name),
      capabilities_entry,
  };
  // SASL PLAIN (RFC 4616): authorization identity, NUL, user, NUL, password.
  std::string response;
  response.append(1, '\0').append(start_ok.user).append(1, '\0').append(start_ok.password);
  const amqp_connection_start_ok_t encodable{
      .client_properties = {properties.size(), properties.data()},
      .mechanism = bytes("PLAIN"),
      .response = bytes(response),
      .locale = bytes("en_US")};
  return append_method(out, channel, AMQP_CONNECTION_START_OK_METHOD, encodable,
                       512 + start_ok.connection_name.size() + response.size());
}

bool append(std::string& out, std::uint16_t channel, const method::ConnectionTuneOk& tune_ok) {
  return append_method(out, channel, AMQP_CONNECTION_TUNE_OK_METHOD,
                       amqp_connection_tune_ok_t{.channel_max = tune_ok.channel_max,
                                                 .frame_max = tune_ok.frame_max,
                                                 .heartbeat = tune_ok.heartbeat_seconds});
}

bool append(std::string& out, std::uint16_t channel, const method::ConnectionOpen& open) {
  return append_method(
      out, channel, AMQP_CONNECTION_OPEN_METHOD,
      amqp_connection_open_t{.virtual_host = bytes(open.vhost), .capabilities = {}, .insist = 0},
      open.vhost.size());
}

bool append(std::string& out, std::uint16_t channel, const method::ConnectionClose& close) {
  return append_method(out, channel, AMQP_CONNECTION_CLOSE_METHOD,
                       amqp_connection_close_t{.reply_code = close.reply_code,
                                               .reply_text = bytes(close.reply_text),
                                               .class_id = 0,
                                               .method_id = 0},
                       close.reply_text.size());
}

bool append(std::string& out, std::uint16_t channel, const method::ConnectionCloseOk&) {
  return append_method(out, channel, AMQP_CONNECTION_CLOSE_OK_METHOD, amqp_connection_close_ok_t{});
}

bool append(std::string& out, std::uint16_t channel, const method::ChannelOpen&) {
  return append_method(out, channel, AMQP_CHANNEL_OPEN_METHOD, amqp_channel_open_t{});
}

bool append(std::string& out, std::uint16_t channel, const method::ChannelClose& close) {
  return append_method(out, channel, AMQP_CHANNEL_CLOSE_METHOD,
                       amqp_channel_close_t{.reply_code = close.reply_code,
                                            .reply_text = bytes(close.reply_text),
                                            .class_id = 0,
                                            .method_id = 0},
                       close.reply_text.size());
}

bool append(std::string& out, std::uint16_t channel, const method::ChannelCloseOk&) {
  return append_method(out, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, amqp_channel_close_ok_t{});
}

bool append(std::string& out, std::uint16_t channel, const method::QueueDeclare& declare) {
  std::vector<amqp_table_entry_t> arguments;
  std::size_t size = declare.queue.size();
  for (const auto& [name, value] : declare.arguments) {
    const auto* const text = std::get_if<std::string>(&value);
    arguments.push_back(text != nullptr ? entry(name, *text)
                                        : entry(name, std::get<std::int64_t>(value)));
    size += name.size() + kTableEntryOverhead + (text != nullptr ? text->size() : 0);
  }
  const amqp_queue_declare_t encodable{
      .ticket = 0,
      .queue = bytes(declare.queue),
      .passive = declare.passive ? 1 : 0,
      .durable = declare.durable ? 1 : 0,
      .exclusive = declare.exclusive ? 1 : 0,
      .auto_delete = 0,
      .nowait = 0,
      .arguments = {static_cast<int>(arguments.size()), arguments.data()}};
  return append_method(out, channel, AMQP_QUEUE_DECLARE_METHOD, encodable, size);
}

bool append(std::string& out, std::uint16_t channel, const method::QueueDelete& remove) {
  return append_method(
      out, channel, AMQP_QUEUE_DELETE_METHOD,
      amqp_queue_delete_t{
          .ticket = 0, .queue = bytes(remove.queue), .if_unused = 0, .if_empty = 0, .nowait = 0},
      remove.queue.size());
}

bool append(std::string& out, std::uint16_t channel, const method::ExchangeDeclare& declare) {
  return append_method(out, channel, AMQP_EXCHANGE_DECLARE_METHOD,
                       amqp_exchange_declare_t{.ticket = 0,
                                               .exchange = bytes(declare.exchange),
                                               .type = bytes(declare.type),
                                               .passive = declare.passive ? 1 : 0,
                                               .durable = declare.durable ? 1 : 0,
                                               .auto_delete = 0,
                                               .internal = 0,
                                               .nowait = 0,
                                               .arguments = {}},
                       declare.exchange.size() + declare.type.size());
}

bool append(std::string& out, std::uint16_t channel, const method::BasicQos& qos) {
  return append_method(
      out, channel, AMQP_BASIC_QOS_METHOD,
      amqp_basic_qos_t{.prefetch_size = 0, .prefetch_count = qos.prefetch, .global = 0});
}

bool append(std::string& out, std::uint16_t channel, const method::BasicConsume& consume) {
  const amqp_basic_consume_t encodable{.ticket = 0,
                                       .queue = bytes(consume.queue),
                                       .consumer_tag = bytes(consume.consumer_tag),
                                       .no_local = 0,
                                       .no_ack = 0,
                                       .exclusive = 0,
                                       .nowait = 0,
                                       .arguments = {}};
  return append_method(out, channel, AMQP_BASIC_CONSUME_METHOD, encodable,
                       consume.queue.size() + consume.consumer_tag.size());
}

bool append(std::string& out, std::uint16_t channel, const method::BasicCancel& cancel) {
  return append_method(out, channel, AMQP_BASIC_CANCEL_METHOD,
                       amqp_basic_cancel_t{.consumer_tag = bytes(cancel.consumer_tag), .nowait = 0},
                       cancel.consumer_tag.size());
}

bool append(std::string& out, std::uint16_t channel, const method::BasicPublish& publish) {
  const amqp_basic_publish_t encodable{.ticket = 0,
                                       .exchange = bytes(publish.exchange),
                                       .routing_key = bytes(publish.routing_key),
                                       .mandatory = publish.mandatory ? 1 : 0,
                                       .immediate = 0};
  return append_method(out, channel, AMQP_BASIC_PUBLISH_METHOD, encodable,
                       publish.exchange.size() + publish.routing_key.size());
}

bool append(std::string& out, std::uint16_t channel, const method::BasicGet& get) {
  return append_method(out, channel, AMQP_BASIC_GET_METHOD,
                       amqp_basic_get_t{.ticket = 0, .queue = bytes(get.queue), .no_ack = 0},
                       get.queue.size());
}

bool append(std::string& out, std::uint16_t channel, const method::BasicAck& ack) {
  return append_method(
      out, channel, AMQP_BASIC_ACK_METHOD,
      amqp_basic_ack_t{.delivery_tag = ack.delivery_tag, .multiple = ack.multiple ? 1 : 0});
}

bool append(std::string& out, std::uint16_t channel, const method::BasicNack& nack) {
  return append_method(
      out, channel, AMQP_BASIC_NACK_METHOD,
      amqp_basic_nack_t{
          .delivery_tag = nack.delivery_tag, .multiple = nack.multiple ? 1 : 0, .requeue = 1});
}

bool append(std::string& out, std::uint16_t channel, const method::ConfirmSelect&) {
  return append_method(out, channel, AMQP_CONFIRM_SELECT_METHOD,
                       amqp_confirm_select_t{.nowait = 0});
}

bool append_message(std::string& out, std::uint16_t channel, std::size_t frame_max,
                    const Message& message, std::optional<std::string_view> message_id) {
  const std::size_t begin = out.size();
  if (!append(out, channel,
              method::BasicPublish{message.exchange, message.routing_key, message.mandatory})) {
    return false;
  }
  if (!append_content_header(out, channel, frame_max, message, message_id)) {
    out.resize(begin);
    return false;
  }
  const std::size_t fragment_max = frame_max - kFrameOverhead;
  for (std::size_t sent = 0; sent < message.body.size(); sent += fragment_max) {
    const std::size_t size = std::min(fragment_max, message.body.size() - sent);
    std::array<char, kFrameHeaderSize> header{};
    write_frame_header(header.data(), FrameType::body, channel, size);
    out.append(header.data(), header.size());
    out.append(message.body, sent, size);
    out.push_back(kFrameEnd);
  }
  return true;
}

}  // namespace amqp
