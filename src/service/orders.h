#pragma once

// Orders: the kind of request that comes in order_validate.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "contract/order_message.h"
#include "log/fields.h"
#include "service/handler.h"

namespace inventory::service {

// Of a message's id, for the ledger; nothing where it has none.
inline std::optional<std::int64_t> hash_of(const std::optional<std::string>& message_id) {
  if (!message_id || message_id->empty()) return std::nullopt;
  return domain::stable_hash(*message_id);
}

struct Orders {
  using Message = contract::OrderMessage;
  static Message read(const amqp::Delivery& delivery, std::size_t bytes_max) {
    return contract::read_order(delivery.body, bytes_max);
  }
  static const contract::RequestError* error(const Message& message) {
    return message.order ? nullptr : &message.order.error();
  }
  static domain::Command command(const Message& message, const amqp::Delivery& delivery,
                                 domain::Timestamp) {
    domain::Order order = *message.order;
    order.message_hash = hash_of(delivery.properties.message_id);
    return order;
  }
  static log::Fields fields(const Message& message) {
    log::Fields fields;
    if (message.order_id) fields.order_id = message.order_id->display();
    if (message.order) fields.product_id = message.order->product;
    return fields;
  }
  static std::string reply(const Message& message, const domain::Decision& decision) {
    return contract::order_reply(message, std::get<domain::OrderDecision>(decision));
  }
  static std::string invalid_reply(const Message& message, std::string_view what) {
    return contract::invalid_order_reply(message, what);
  }
};

using OrderHandler = BatchHandler<Orders>;

}  // namespace inventory::service
