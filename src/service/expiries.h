#pragma once

// Expiries: the kind of request by which the service gives back the stock of a hold that is over
// (sweeper.h). It gets no reply.

#include <string>
#include <string_view>
#include <variant>

#include "contract/expiry_message.h"
#include "log/fields.h"
#include "service/handler.h"

namespace inventory::service {

struct Expiries {
  using Message = contract::ExpiryMessage;

  static Message read(const amqp::Delivery& delivery, std::size_t bytes_max) {
    return contract::read_expiry(delivery.body, bytes_max);
  }
  static const contract::RequestError* error(const Message& message) {
    return message ? nullptr : &message.error();
  }
  static domain::Command command(const Message& message, const amqp::Delivery&, domain::Timestamp) {
    return *message;
  }
  static log::Fields fields(const Message& message) {
    log::Fields fields;
    if (message) fields.product_id = message->product;
    return fields;
  }
  // Tells of a hold that was given back, also if the request is repeated.
  static std::optional<contract::Event> event(const Message& message,
                                              const domain::Decision& decision,
                                              domain::Timestamp now) {
    const auto& of_hold = std::get<domain::ExpiryDecision>(decision);
    if (of_hold.quantity == 0 || !of_hold.version) return std::nullopt;
    return contract::expired_event(*message, of_hold.quantity, *of_hold.version, now);
  }
  static std::string why_invalid(const Message& message, const domain::Decision&) {
    return "the stock of product " + std::to_string(message->product) +
           " would be more than can be kept";
  }
};

}  // namespace inventory::service
