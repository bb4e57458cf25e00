#pragma once

// Methods: the AMQP 0-9-1 methods that this client sends or understands, with the fields that it
// uses. They own their strings.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace amqp {

inline constexpr std::uint16_t kReplySuccess = 200;  // AMQP 0-9-1, 1.2: of a close without an error

namespace method {

struct ConnectionStart {
  static constexpr std::string_view kName = "connection.start";
  std::string mechanisms;    // separated by spaces
  std::string version = {};  // of the server: "4.0.5"; empty if not given
};
struct ConnectionStartOk {
  static constexpr std::string_view kName = "connection.start-ok";
  std::string connection_name;
  std::string user;
  std::string password;
};
struct ConnectionTune {
  static constexpr std::string_view kName = "connection.tune";
  std::uint16_t channel_max;
  std::uint32_t frame_max;
  std::uint16_t heartbeat_seconds;
};
struct ConnectionTuneOk {
  static constexpr std::string_view kName = "connection.tune-ok";
  std::uint16_t channel_max;
  std::uint32_t frame_max;
  std::uint16_t heartbeat_seconds;
};
struct ConnectionOpen {
  static constexpr std::string_view kName = "connection.open";
  std::string vhost;
};
struct ConnectionOpenOk {
  static constexpr std::string_view kName = "connection.open-ok";
};
struct ConnectionClose {
  static constexpr std::string_view kName = "connection.close";
  std::uint16_t reply_code;
  std::string reply_text;
};
struct ConnectionCloseOk {
  static constexpr std::string_view kName = "connection.close-ok";
};
struct ConnectionBlocked {
  static constexpr std::string_view kName = "connection.blocked";
  std::string reason;
};
struct ConnectionUnblocked {
  static constexpr std::string_view kName = "connection.unblocked";
};

struct ChannelOpen {
  static constexpr std::string_view kName = "channel.open";
};
struct ChannelOpenOk {
  static constexpr std::string_view kName = "channel.open-ok";
};
struct ChannelClose {
  static constexpr std::string_view kName = "channel.close";
  std::uint16_t reply_code;
  std::string reply_text;
};
struct ChannelCloseOk {
  static constexpr std::string_view kName = "channel.close-ok";
};

struct QueueArgument {
  std::string name;
  std::variant<std::string, std::int64_t> value;
};
struct QueueDeclare {
  static constexpr std::string_view kName = "queue.declare";
  std::string queue;
  bool passive = false;
  bool durable = false;
  bool exclusive = false;
  std::vector<QueueArgument> arguments = {};
};
struct QueueDeclareOk {
  static constexpr std::string_view kName = "queue.declare-ok";
  std::string queue;
  std::uint32_t message_count = 0;  // in the queue, ready
  std::uint32_t consumer_count = 0;
};

struct QueueDelete {
  static constexpr std::string_view kName = "queue.delete";
  std::string queue;
};
struct QueueDeleteOk {
  static constexpr std::string_view kName = "queue.delete-ok";
};

struct ExchangeDeclare {
  static constexpr std::string_view kName = "exchange.declare";
  std::string exchange;
  std::string type;
  bool passive = false;
  bool durable = false;
};
struct ExchangeDeclareOk {
  static constexpr std::string_view kName = "exchange.declare-ok";
};

struct BasicQos {
  static constexpr std::string_view kName = "basic.qos";
  std::uint16_t prefetch;
};
struct BasicQosOk {
  static constexpr std::string_view kName = "basic.qos-ok";
};
struct BasicConsume {
  static constexpr std::string_view kName = "basic.consume";
  std::string queue;
  std::string consumer_tag;
};
struct BasicConsumeOk {
  static constexpr std::string_view kName = "basic.consume-ok";
};
struct BasicCancel {
  static constexpr std::string_view kName = "basic.cancel";
  std::string consumer_tag;
};
struct BasicCancelOk {
  static constexpr std::string_view kName = "basic.cancel-ok";
};
struct BasicPublish {
  static constexpr std::string_view kName = "basic.publish";
  std::string_view exchange;
  std::string_view routing_key;
  bool mandatory;
};
struct BasicReturn {
  static constexpr std::string_view kName = "basic.return";
  std::string routing_key;
};
struct BasicDeliver {
  static constexpr std::string_view kName = "basic.deliver";
  std::uint64_t delivery_tag;
  bool redelivered;
};
struct BasicGet {
  static constexpr std::string_view kName = "basic.get";
  std::string queue;
};
struct BasicGetOk {
  static constexpr std::string_view kName = "basic.get-ok";
  std::uint64_t delivery_tag;
  bool redelivered;
  std::uint32_t message_count;  // still in the queue, ready
};
struct BasicGetEmpty {
  static constexpr std::string_view kName = "basic.get-empty";
};
struct BasicAck {
  static constexpr std::string_view kName = "basic.ack";
  std::uint64_t delivery_tag;
  bool multiple;
};
// From the broker: it could not accept a message. To the broker: always with requeue.
struct BasicNack {
  static constexpr std::string_view kName = "basic.nack";
  std::uint64_t delivery_tag;
  bool multiple;
};

struct ConfirmSelect {
  static constexpr std::string_view kName = "confirm.select";
};
struct ConfirmSelectOk {
  static constexpr std::string_view kName = "confirm.select-ok";
};

// The methods that a broker may send to this client. All others are refused undecoded.
using Incoming =
    std::variant<BasicDeliver, BasicAck, BasicNack, BasicReturn, ConnectionStart, ConnectionTune,
                 ConnectionOpenOk, ConnectionClose, ConnectionCloseOk, ConnectionBlocked,
                 ConnectionUnblocked, ChannelOpenOk, ChannelClose, ChannelCloseOk, QueueDeclareOk,
                 BasicQosOk, BasicConsumeOk, BasicCancel, BasicCancelOk, BasicGetOk, BasicGetEmpty,
                 ConfirmSelectOk, ExchangeDeclareOk, QueueDeleteOk>;

inline std::string_view name(const Incoming& method) {
  return std::visit([](const auto& known) { return known.kName; }, method);
}

}  // namespace method
}  // namespace amqp
