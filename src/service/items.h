#pragma once

// Items: the kind of request that comes in inventory_new_item.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contract/item_message.h"
#include "log/fields.h"
#include "service/handler.h"

namespace inventory::service {

struct Items {
  using Message = contract::ItemMessage;
  using Request = domain::NewItem;
  using Decision = domain::ItemDecision;

  static Message read(const amqp::Delivery& delivery, std::size_t bytes_max) {
    return contract::read_item(delivery.body, bytes_max);
  }
  static const contract::RequestError* error(const Message& message) {
    return message.error ? &*message.error : nullptr;
  }
  static Request request(const Message& message, const amqp::Delivery& delivery,
                         domain::Timestamp now) {
    return {
        contract::item_identity(delivery.properties.message_id, delivery.properties.correlation_id),
        message.quantity.value_or(0),  // never 0 for lack of one: that is an error
        message.description, now};
  }
  static Task<store::Result<std::vector<Decision>>> decide(store::Store& store,
                                                           std::span<const Request> requests,
                                                           store::Locks) {
    return store.add_items(requests);
  }
  static std::vector<domain::ProductId> products(const Request&) { return {}; }
  static Outcome outcome(const Decision& decision) {
    return decision.conflicts_with ? Outcome::conflict : Outcome::item_added;
  }
  static log::Fields fields(const Message&) { return {}; }
  static std::string reply(const Message&, const Decision& decision) {
    return contract::item_reply(decision);
  }
  static std::string invalid_reply(const Message& message, std::string_view what) {
    return contract::invalid_item_reply(message, what);
  }
};

using ItemHandler = BatchHandler<Items>;

}  // namespace inventory::service
