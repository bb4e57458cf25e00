#pragma once

// Cancellations: the kind of request that comes in order_cancel.

#include <string>
#include <string_view>
#include <variant>

#include "contract/cancellation_message.h"
#include "log/fields.h"
#include "service/handler.h"
#include "service/message_hash.h"

namespace inventory::service {

struct Cancellations {
  using Message = contract::CancellationMessage;

  static Message read(const amqp::Delivery& delivery, std::size_t bytes_max) {
    return contract::read_cancellation(delivery.body, bytes_max);
  }
  static const contract::RequestError* error(const Message& message) {
    return message.cancellation ? nullptr : &message.cancellation.error();
  }
  static domain::Command command(const Message& message, const amqp::Delivery& delivery,
                                 domain::Timestamp) {
    domain::Cancellation cancellation = *message.cancellation;
    cancellation.message_hash = hash_of(delivery.properties.message_id);
    return cancellation;
  }
  static log::Fields fields(const Message& message) {
    log::Fields fields;
    if (message.order_id) fields.order_id = message.order_id->display();
    if (message.cancellation && message.cancellation->items.size() == 1) {
      fields.product_id = message.cancellation->items.front().product;
    }
    return fields;
  }
  static std::string reply(const Message& message, const domain::Decision& decision) {
    return contract::cancellation_reply(message, std::get<domain::CancellationDecision>(decision));
  }
  static std::string why_invalid(const Message&, const domain::Decision& decision) {
    return contract::beyond_limit_text(std::get<domain::CancellationDecision>(decision));
  }
  static std::string invalid_reply(const Message& message, std::string_view what) {
    return contract::invalid_cancellation_reply(message, what);
  }
};

}  // namespace inventory::service
