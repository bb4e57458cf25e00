#include "amqp/decode.h"

#include <cstring>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "amqp/frame.h"
#include "amqp/rabbitmq_c.h"
#include "amqp/wire.h"

namespace amqp {
namespace {

constexpr std::size_t kPoolPageSize = 4096;

std::string text(const amqp_bytes_t& bytes) {
  return {static_cast<const char*>(bytes.bytes), bytes.len};
}

template <class T>
const T& fields(const void* decoded) {
  return *static_cast<const T*>(decoded);
}

// Removes the server properties from connection.start: version (2), table, mechanisms, locales.
// An empty table stays in their place.
std::optional<std::span<char>> without_server_properties(std::span<char> arguments) {
  if (arguments.size() < 6) return {};
  const std::size_t table_size = read_integer<std::uint32_t>(arguments.data() + 2);
  if (table_size > arguments.size() - 6) return {};
  std::memmove(arguments.data() + table_size, arguments.data(), 2);
  write_integer(arguments.data() + table_size + 2, std::uint32_t{0});
  return arguments.subspan(table_size);
}

bool is_from_broker(amqp_method_number_t id) {
  switch (id) {
    case AMQP_CONNECTION_START_METHOD:
    case AMQP_CONNECTION_TUNE_METHOD:
    case AMQP_CONNECTION_OPEN_OK_METHOD:
    case AMQP_CONNECTION_CLOSE_METHOD:
    case AMQP_CONNECTION_CLOSE_OK_METHOD:
    case AMQP_CONNECTION_BLOCKED_METHOD:
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
    case AMQP_CHANNEL_OPEN_OK_METHOD:
    case AMQP_CHANNEL_CLOSE_METHOD:
    case AMQP_CHANNEL_CLOSE_OK_METHOD:
    case AMQP_QUEUE_DECLARE_OK_METHOD:
    case AMQP_BASIC_QOS_OK_METHOD:
    case AMQP_BASIC_CONSUME_OK_METHOD:
    case AMQP_BASIC_CANCEL_METHOD:
    case AMQP_BASIC_CANCEL_OK_METHOD:
    case AMQP_BASIC_RETURN_METHOD:
    case AMQP_BASIC_DELIVER_METHOD:
    case AMQP_BASIC_GET_OK_METHOD:
    case AMQP_BASIC_GET_EMPTY_METHOD:
    case AMQP_BASIC_ACK_METHOD:
    case AMQP_BASIC_NACK_METHOD:
    case AMQP_CONFIRM_SELECT_OK_METHOD:
      return true;
    default:
      return false;
  }
}

// id: one that is_from_broker().
method::Incoming incoming(amqp_method_number_t id, const void* decoded) {
  switch (id) {
    case AMQP_BASIC_DELIVER_METHOD: {
      const auto& deliver = fields<amqp_basic_deliver_t>(decoded);
      return method::BasicDeliver{deliver.delivery_tag, deliver.redelivered != 0};
    }
    case AMQP_BASIC_ACK_METHOD: {
      const auto& ack = fields<amqp_basic_ack_t>(decoded);
      return method::BasicAck{ack.delivery_tag, ack.multiple != 0};
    }
    case AMQP_BASIC_NACK_METHOD: {
      const auto& nack = fields<amqp_basic_nack_t>(decoded);
      return method::BasicNack{nack.delivery_tag, nack.multiple != 0};
    }
    case AMQP_BASIC_GET_OK_METHOD: {
      const auto& got = fields<amqp_basic_get_ok_t>(decoded);
      return method::BasicGetOk{got.delivery_tag, got.redelivered != 0, got.message_count};
    }
    case AMQP_BASIC_GET_EMPTY_METHOD:
      return method::BasicGetEmpty{};
    case AMQP_BASIC_RETURN_METHOD:
      return method::BasicReturn{text(fields<amqp_basic_return_t>(decoded).routing_key)};
    case AMQP_CONNECTION_START_METHOD:
      return method::ConnectionStart{text(fields<amqp_connection_start_t>(decoded).mechanisms)};
    case AMQP_CONNECTION_TUNE_METHOD: {
      const auto& tune = fields<amqp_connection_tune_t>(decoded);
      return method::ConnectionTune{tune.channel_max, tune.frame_max, tune.heartbeat};
    }
    case AMQP_CONNECTION_CLOSE_METHOD: {
      const auto& close = fields<amqp_connection_close_t>(decoded);
      return method::ConnectionClose{close.reply_code, text(close.reply_text)};
    }
    case AMQP_CONNECTION_BLOCKED_METHOD:
      return method::ConnectionBlocked{text(fields<amqp_connection_blocked_t>(decoded).reason)};
    case AMQP_CHANNEL_CLOSE_METHOD: {
      const auto& close = fields<amqp_channel_close_t>(decoded);
      return method::ChannelClose{close.reply_code, text(close.reply_text)};
    }
    case AMQP_QUEUE_DECLARE_OK_METHOD: {
      const auto& declared = fields<amqp_queue_declare_ok_t>(decoded);
      return method::QueueDeclareOk{text(declared.queue), declared.message_count};
    }
    case AMQP_BASIC_CANCEL_METHOD:
      return method::BasicCancel{text(fields<amqp_basic_cancel_t>(decoded).consumer_tag)};
    case AMQP_CONNECTION_OPEN_OK_METHOD:
      return method::ConnectionOpenOk{};
    case AMQP_CONNECTION_CLOSE_OK_METHOD:
      return method::ConnectionCloseOk{};
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
      return method::ConnectionUnblocked{};
    case AMQP_CHANNEL_OPEN_OK_METHOD:
      return method::ChannelOpenOk{};
    case AMQP_CHANNEL_CLOSE_OK_METHOD:
      return method::ChannelCloseOk{};
    case AMQP_BASIC_QOS_OK_METHOD:
      return method::BasicQosOk{};
    case AMQP_BASIC_CONSUME_OK_METHOD:
      return method::BasicConsumeOk{};
    case AMQP_BASIC_CANCEL_OK_METHOD:
      return method::BasicCancelOk{};
    default:
      return method::ConfirmSelectOk{};
  }
}

// Cuts the headers out of encoded properties: flags (2), content-type, content-encoding, headers,
// the rest (AMQP 0-9-1, 4.2.6.1). What stands before them moves up to the rest, and their flag is
// cleared. Nothing if the lengths do not fit.
std::optional<std::span<char>> cut_headers(std::span<char> encoded,
                                           std::optional<HeaderTable>& headers) {
  if (encoded.size() < 2) return {};
  const auto flags = read_integer<std::uint16_t>(encoded.data());
  // The class has 14 properties. The last bit would announce more flags, which there cannot be
  // (and rabbitmq-c shifts by more than its integer has bits when it reads them).
  if ((flags & 0x3U) != 0) return {};
  if ((flags & AMQP_BASIC_HEADERS_FLAG) == 0) return encoded;
  std::size_t position = 2;
  for (const int flag : {AMQP_BASIC_CONTENT_TYPE_FLAG, AMQP_BASIC_CONTENT_ENCODING_FLAG}) {
    if ((flags & flag) == 0) continue;
    if (position >= encoded.size()) return {};
    position += 1U + static_cast<unsigned char>(encoded[position]);
  }
  if (position + 4 > encoded.size()) return {};
  const std::size_t table_size = read_integer<std::uint32_t>(encoded.data() + position);
  if (table_size > encoded.size() - position - 4) return {};
  headers.emplace(std::string(encoded.data() + position + 4, table_size));
  std::memmove(encoded.data() + 4 + table_size, encoded.data(), position);
  encoded = encoded.subspan(4 + table_size);
  write_integer(encoded.data(), static_cast<std::uint16_t>(flags & ~AMQP_BASIC_HEADERS_FLAG));
  return encoded;
}

void take_properties(const amqp_basic_properties_t& from, Properties& to) {
  const auto take = [&from](unsigned flag, const amqp_bytes_t& bytes,
                            std::optional<std::string>& property) {
    if ((from._flags & flag) != 0) {
      property.emplace(static_cast<const char*>(bytes.bytes), bytes.len);
    }
  };
  take(AMQP_BASIC_CONTENT_TYPE_FLAG, from.content_type, to.content_type);
  take(AMQP_BASIC_CONTENT_ENCODING_FLAG, from.content_encoding, to.content_encoding);
  if ((from._flags & AMQP_BASIC_DELIVERY_MODE_FLAG) != 0) to.delivery_mode = from.delivery_mode;
  if ((from._flags & AMQP_BASIC_PRIORITY_FLAG) != 0) to.priority = from.priority;
  take(AMQP_BASIC_CORRELATION_ID_FLAG, from.correlation_id, to.correlation_id);
  take(AMQP_BASIC_REPLY_TO_FLAG, from.reply_to, to.reply_to);
  take(AMQP_BASIC_EXPIRATION_FLAG, from.expiration, to.expiration);
  take(AMQP_BASIC_MESSAGE_ID_FLAG, from.message_id, to.message_id);
  if ((from._flags & AMQP_BASIC_TIMESTAMP_FLAG) != 0) to.timestamp = from.timestamp;
  take(AMQP_BASIC_TYPE_FLAG, from.type, to.type);
  take(AMQP_BASIC_USER_ID_FLAG, from.user_id, to.user_id);
  take(AMQP_BASIC_APP_ID_FLAG, from.app_id, to.app_id);
  take(AMQP_BASIC_CLUSTER_ID_FLAG, from.cluster_id, to.cluster_id);
}

std::string number_of(std::uint32_t method) {
  return fmt::format("method {}.{}", method >> 16U, method & 0xFFFFU);
}

}  // namespace

Decoder::Decoder() : pool_(std::make_unique<amqp_pool_t_>()) {
  init_amqp_pool(pool_.get(), kPoolPageSize);
}

Decoder::~Decoder() { empty_amqp_pool(pool_.get()); }

std::expected<method::Incoming, std::string> Decoder::method(std::span<char> payload) {
  if (payload.size() < 4) return std::unexpected("syntax error 502: method frame without a method");
  const auto id = read_integer<std::uint32_t>(payload.data());
  if (!is_from_broker(id)) {
    return std::unexpected(
        fmt::format("command invalid 503: {} is not for a client", number_of(id)));
  }
  std::optional<std::span<char>> arguments = payload.subspan(4);
  if (id == AMQP_CONNECTION_START_METHOD) arguments = without_server_properties(*arguments);
  void* decoded = nullptr;
  if (!arguments || amqp_decode_method(id, pool_.get(), {arguments->size(), arguments->data()},
                                       &decoded) != AMQP_STATUS_OK) {
    recycle_amqp_pool(pool_.get());
    return std::unexpected(fmt::format("syntax error 502: {} is malformed", number_of(id)));
  }
  auto result = incoming(id, decoded);
  recycle_amqp_pool(pool_.get());
  return result;
}

std::expected<ContentHeader, std::string> Decoder::content_header(std::span<char> payload) {
  // Class (2), weight (2), body size (8), properties (AMQP 0-9-1, 4.2.6.1).
  if (payload.size() < 12) return std::unexpected("syntax error 502: content header is too short");
  if (read_integer<std::uint16_t>(payload.data()) != kBasicClass) {
    return std::unexpected("syntax error 502: content header of another class than basic");
  }
  ContentHeader header{.body_size = read_integer<std::uint64_t>(payload.data() + 4),
                       .properties = {}};
  const auto encoded = cut_headers(payload.subspan(12), header.properties.headers);
  void* decoded = nullptr;
  if (!encoded ||
      amqp_decode_properties(kBasicClass, pool_.get(), {encoded->size(), encoded->data()},
                             &decoded) != AMQP_STATUS_OK) {
    recycle_amqp_pool(pool_.get());
    return std::unexpected("syntax error 502: content header is malformed");
  }
  take_properties(fields<amqp_basic_properties_t>(decoded), header.properties);
  recycle_amqp_pool(pool_.get());
  return header;
}

}  // namespace amqp
