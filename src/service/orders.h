#pragma once

// Orders: the kind of request that comes in order_validate.

#include <string>
#include <string_view>
#include <variant>

#include "contract/order_message.h"
#include "log/fields.h"
#include "service/handler.h"
#include "service/message_hash.h"

namespace inventory::service {

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
    return std::visit(
        [&](auto order) -> domain::Command {
          order.message_hash = hash_of(delivery.properties.message_id);
          return order;
        },
        *message.order);
  }
  static log::Fields fields(const Message& message) {
    log::Fields fields;
    if (message.order_id) fields.order_id = message.order_id->display();
    if (const auto* order = message.single()) fields.product_id = order->product;
    return fields;
  }
  static std::string reply(const Message& message, const domain::Decision& decision) {
    if (const auto* of_basket = std::get_if<domain::BasketDecision>(&decision)) {
      return contract::basket_reply(message, *of_basket);
    }
    return contract::order_reply(message, std::get<domain::OrderDecision>(decision));
  }
  static std::string invalid_reply(const Message& message, std::string_view what) {
    return contract::invalid_order_reply(message, what);
  }
};

using OrderHandler = BatchHandler<Orders>;

}  // namespace inventory::service
