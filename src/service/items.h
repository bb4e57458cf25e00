#pragma once

// Items: the kind of request that comes in inventory_new_item.

#include <string>
#include <string_view>
#include <variant>

#include "contract/item_message.h"
#include "log/fields.h"
#include "service/handler.h"

namespace inventory::service {

struct Items {
  using Message = contract::ItemMessage;
  static Message read(const amqp::Delivery& delivery, std::size_t bytes_max) {
    return contract::read_item(delivery.body, bytes_max);
  }
  static const contract::RequestError* error(const Message& message) {
    return message.error ? &*message.error : nullptr;
  }
  static domain::Command command(const Message& message, const amqp::Delivery& delivery,
                                 domain::Timestamp now) {
    return domain::NewItem{
        .identity = contract::item_identity(delivery.properties.message_id,
                                            delivery.properties.correlation_id),
        .quantity = message.quantity.value_or(0),  // a missing one is an error, not 0
        .description = message.description,
        .created_at = now,
        .chosen_id = message.product_id,
        .low_stock = message.low_stock};
  }
  static log::Fields fields(const Message&) { return {}; }
  static std::string reply(const Message&, const domain::Decision& decision) {
    return contract::item_reply(std::get<domain::ItemDecision>(decision));
  }
  // A repeated request causes it again.
  static std::optional<contract::Event> event(const Message&, const domain::Decision& decision,
                                              domain::Timestamp now) {
    const auto& of_item = std::get<domain::ItemDecision>(decision);
    if (domain::outcome_of(of_item) != domain::Outcome::item_added) return std::nullopt;
    return contract::added_event(of_item.item, now);
  }
  static std::string invalid_reply(const Message& message, std::string_view what) {
    return contract::invalid_item_reply(message, what);
  }
};

using ItemHandler = BatchHandler<Items>;

}  // namespace inventory::service
