#pragma once

// Orders: the kind of request that comes in order_validate.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contract/order_message.h"
#include "log/fields.h"
#include "service/handler.h"

namespace inventory::service {

struct Orders {
  using Message = contract::OrderMessage;
  using Request = domain::Order;
  using Decision = domain::OrderDecision;

  static Message read(const amqp::Delivery& delivery, std::size_t bytes_max) {
    return contract::read_order(delivery.body, bytes_max);
  }
  static const contract::RequestError* error(const Message& message) {
    return message.order ? nullptr : &message.order.error();
  }
  static Request request(const Message& message, const amqp::Delivery&, domain::Timestamp) {
    return *message.order;
  }
  static Task<store::Result<std::vector<Decision>>> decide(store::Store& store,
                                                           std::span<const Request> requests,
                                                           store::Locks locks) {
    return store.decide_orders(requests, locks);
  }
  static std::vector<domain::ProductId> products(const Request& request) {
    return {request.product};
  }
  static Outcome outcome(const Decision& decision) {
    if (decision.conflicts_with) return Outcome::conflict;
    switch (decision.verdict) {
      case domain::Verdict::accepted:
        return Outcome::accepted;
      case domain::Verdict::product_not_found:
        return Outcome::product_not_found;
      case domain::Verdict::not_enough_stock:
        return Outcome::not_enough_stock;
    }
    return Outcome::not_enough_stock;
  }
  static log::Fields fields(const Message& message) {
    log::Fields fields;
    if (message.order_id) fields.order_id = message.order_id->display();
    if (message.order) fields.product_id = message.order->product;
    return fields;
  }
  static std::string reply(const Message& message, const Decision& decision) {
    return contract::order_reply(message, decision);
  }
  static std::string invalid_reply(const Message& message, std::string_view what) {
    return contract::invalid_order_reply(message, what);
  }
};

using OrderHandler = BatchHandler<Orders>;

}  // namespace inventory::service
