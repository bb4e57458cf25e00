#pragma once

// Confirmations: the kind of request that comes in order_confirm.

#include <string>
#include <string_view>
#include <variant>

#include "contract/confirmation_message.h"
#include "log/fields.h"
#include "service/handler.h"

namespace inventory::service {

struct Confirmations {
  using Message = contract::ConfirmationMessage;

  static Message read(const amqp::Delivery& delivery, std::size_t bytes_max) {
    return contract::read_confirmation(delivery.body, bytes_max);
  }
  static const contract::RequestError* error(const Message& message) {
    return message.confirmation ? nullptr : &message.confirmation.error();
  }
  static domain::Command command(const Message& message, const amqp::Delivery&, domain::Timestamp) {
    return *message.confirmation;
  }
  static log::Fields fields(const Message& message) {
    log::Fields fields;
    if (message.order_id) fields.order_id = message.order_id->display();
    if (message.confirmation && message.confirmation->items.size() == 1) {
      fields.product_id = message.confirmation->items.front().product;
    }
    return fields;
  }
  static std::string reply(const Message& message, const domain::Decision& decision) {
    return contract::confirmation_reply(message, std::get<domain::ConfirmationDecision>(decision));
  }
  static std::string invalid_reply(const Message& message, std::string_view what) {
    return contract::invalid_confirmation_reply(message, what);
  }
};

}  // namespace inventory::service
