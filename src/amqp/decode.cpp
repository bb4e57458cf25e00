#include "amqp/decode.h"

#include <concepts>
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

// Cuts the server properties out of connection.start: version (2), table, mechanisms, locales.
// Leaves an empty table in their place.
std::optional<std::span<char>> take_server_properties(std::span<char> arguments,
                                                      HeaderTable& properties) {
  if (arguments.size() < 6) return {};
  const std::size_t table_size = read_integer<std::uint32_t>(arguments.data() + 2);
  if (table_size > arguments.size() - 6) return {};
  properties = HeaderTable(std::string(arguments.data() + 6, table_size));
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
    case AMQP_EXCHANGE_DECLARE_OK_METHOD:
    case AMQP_QUEUE_DECLARE_OK_METHOD:
    case AMQP_QUEUE_DELETE_OK_METHOD:
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

// id: is_from_broker() must be true for it.
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
      return method::QueueDeclareOk{text(declared.queue), declared.message_count,
                                    declared.consumer_count};
    }
    case AMQP_BASIC_CANCEL_METHOD:
      return method::BasicCancel{text(fields<amqp_basic_cancel_t>(decoded).consumer_tag)};
    case AMQP_EXCHANGE_DECLARE_OK_METHOD:
      return method::ExchangeDeclareOk{};
    case AMQP_QUEUE_DELETE_OK_METHOD:
      return method::QueueDeleteOk{};
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

// PropertyReader: reads encoded property values, one after the other. Stops at the first whose
// length does not fit.
class PropertyReader {
 public:
  explicit PropertyReader(std::string_view encoded) : rest_(encoded) {}

  void read(std::optional<std::string>& property) {
    const std::size_t size = rest_.empty() ? 0 : static_cast<unsigned char>(rest_.front());
    if (!has(1 + size)) return;
    property.emplace(rest_.substr(1, size));
    rest_.remove_prefix(1 + size);
  }

  template <std::unsigned_integral T>
  void read(std::optional<T>& property) {
    if (!has(sizeof(T))) return;
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): they are there
    property = read_integer<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
  }

  // Reads a malformed table up to its first malformed entry.
  void read(std::optional<HeaderTable>& headers) {
    if (!has(4)) return;
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): it reads four bytes, which are
    const std::size_t size = read_integer<std::uint32_t>(rest_.data());
    if (!has(4 + size)) return;
    const std::string_view table = rest_.substr(4, size);
    const std::size_t good = well_formed_size(table);
    if (good < size) is_table_malformed_ = true;
    headers.emplace(std::string(table.substr(0, good)));
    rest_.remove_prefix(4 + size);
  }

  bool is_cut() const { return is_cut_; }
  bool is_table_malformed() const { return is_table_malformed_; }
  bool is_at_end() const { return rest_.empty(); }

 private:
  bool has(std::size_t size) {
    if (rest_.size() < size) is_cut_ = true;
    return !is_cut_;
  }

  std::string_view rest_;
  bool is_cut_ = false;
  bool is_table_malformed_ = false;
};

// Reads flags and properties (AMQP 0-9-1, 4.2.6.1). Returns why not all could be decoded, if so.
std::optional<std::string> read_properties(std::string_view encoded, Properties& to) {
  constexpr unsigned kUndefinedFlags = 3;  // the class has 14 properties
  constexpr unsigned kMoreFlags = 1;
  if (encoded.size() < 2) return "its content header has no property flags";
  // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): it reads two bytes, which are
  const unsigned flags = read_integer<std::uint16_t>(encoded.data());
  PropertyReader reader(encoded.substr(2));
  const char* last = "";
  const auto read = [&](unsigned flag, const char* name, auto& property) {
    if ((flags & flag) == 0 || reader.is_cut()) return;
    last = name;
    reader.read(property);
  };
  read(AMQP_BASIC_CONTENT_TYPE_FLAG, "content_type", to.content_type);
  read(AMQP_BASIC_CONTENT_ENCODING_FLAG, "content_encoding", to.content_encoding);
  read(AMQP_BASIC_HEADERS_FLAG, "headers", to.headers);
  read(AMQP_BASIC_DELIVERY_MODE_FLAG, "delivery_mode", to.delivery_mode);
  read(AMQP_BASIC_PRIORITY_FLAG, "priority", to.priority);
  read(AMQP_BASIC_CORRELATION_ID_FLAG, "correlation_id", to.correlation_id);
  read(AMQP_BASIC_REPLY_TO_FLAG, "reply_to", to.reply_to);
  read(AMQP_BASIC_EXPIRATION_FLAG, "expiration", to.expiration);
  read(AMQP_BASIC_MESSAGE_ID_FLAG, "message_id", to.message_id);
  read(AMQP_BASIC_TIMESTAMP_FLAG, "timestamp", to.timestamp);
  read(AMQP_BASIC_TYPE_FLAG, "type", to.type);
  read(AMQP_BASIC_USER_ID_FLAG, "user_id", to.user_id);
  read(AMQP_BASIC_APP_ID_FLAG, "app_id", to.app_id);
  read(AMQP_BASIC_CLUSTER_ID_FLAG, "cluster_id", to.cluster_id);
  if ((flags & kUndefinedFlags) != 0) {
    const bool is_misread = reader.is_cut() || !reader.is_at_end();
    if ((flags & kMoreFlags) != 0 && is_misread) to = {};
    return fmt::format(
        "its property flags 0x{:04x} hold 0x{:04x}, which AMQP 0-9-1 does not define", flags,
        flags & kUndefinedFlags);
  }
  if (reader.is_cut())
    return fmt::format("its property {} is longer than its content header", last);
  if (reader.is_table_malformed()) return "its headers are malformed";
  return {};
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
  HeaderTable server_properties;
  if (id == AMQP_CONNECTION_START_METHOD) {
    arguments = take_server_properties(*arguments, server_properties);
  }
  void* decoded = nullptr;
  if (!arguments || amqp_decode_method(id, pool_.get(), {arguments->size(), arguments->data()},
                                       &decoded) != AMQP_STATUS_OK) {
    recycle_amqp_pool(pool_.get());
    return std::unexpected(fmt::format("syntax error 502: {} is malformed", number_of(id)));
  }
  auto result = incoming(id, decoded);
  if (auto* start = std::get_if<method::ConnectionStart>(&result)) {
    start->version = server_properties.find_string("version").value_or("");
  }
  recycle_amqp_pool(pool_.get());
  return result;
}

std::expected<ContentHeader, std::string> decode_content_header(std::span<const char> payload,
                                                                std::size_t size) {
  if (payload.size() < kContentHeaderFixedSize) {
    return std::unexpected("syntax error 502: content header too short to tell its body's size");
  }
  ContentHeader header{.body_size = read_integer<std::uint64_t>(payload.data() + 4),
                       .properties = {},
                       .undecodable = {}};
  const auto class_id = read_integer<std::uint16_t>(payload.data());
  if (size > payload.size()) {
    header.undecodable = fmt::format("its content header of {} bytes is too large", size);
  } else if (class_id != kBasicClass) {
    header.undecodable =
        fmt::format("its content header is of class {} and not {}", class_id, kBasicClass);
  } else {
    const auto encoded = payload.subspan(kContentHeaderFixedSize);
    header.undecodable = read_properties({encoded.data(), encoded.size()}, header.properties);
  }
  return header;
}

}  // namespace amqp
