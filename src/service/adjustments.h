#pragma once

// Adjustments: the kind of request that comes in inventory_adjust.

#include <string>
#include <string_view>
#include <variant>

#include "contract/adjustment_message.h"
#include "log/fields.h"
#include "service/handler.h"

namespace inventory::service {

struct Adjustments {
  using Message = contract::AdjustmentMessage;

  static Message read(const amqp::Delivery& delivery, std::size_t bytes_max) {
    return contract::read_adjustment(delivery.body, bytes_max);
  }
  static const contract::RequestError* error(const Message& message) {
    return message.adjustment ? nullptr : &message.adjustment.error();
  }
  static domain::Command command(const Message& message, const amqp::Delivery&, domain::Timestamp) {
    return *message.adjustment;
  }
  static log::Fields fields(const Message& message) {
    log::Fields fields;
    fields.product_id = message.product;
    return fields;
  }
  static std::string reply(const Message& message, const domain::Decision& decision) {
    return contract::adjustment_reply(message, std::get<domain::AdjustmentDecision>(decision));
  }
  static std::string why_invalid(const Message& message, const domain::Decision&) {
    return contract::beyond_limit_text(message);
  }
  static std::string invalid_reply(const Message& message, std::string_view what) {
    return contract::invalid_adjustment_reply(message, what);
  }
};

}  // namespace inventory::service
