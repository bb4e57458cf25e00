#pragma once

// AmqpBroker: the flow's broker: RabbitMQ.
//
// Invariants:
//   1. Requests come over one connection, answers go over others: a memory alarm blocks a
//   connection
//      that publishes, but acknowledgements still pass over the first. All are to one host.
//   2. Existing queues are used as they are; the others are declared durable.
//
// Not: does not retry. Each open() tries the next of the endpoint's hosts.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "amqp/connection.h"
#include "amqp/endpoint.h"
#include "service/broker.h"
#include "service/delivery_limit.h"

namespace inventory::service {

struct AmqpBrokerOptions {
  amqp::Endpoint endpoint;
  amqp::TlsOptions tls;
  std::string request_queue;
  std::vector<std::string> other_queues;  // ensured too: for replies and dead letters
  std::string events_exchange = {};       // ensured too; empty: none
  amqp::QueueType queue_type = amqp::QueueType::classic;
  std::uint16_t prefetch = 2000;
  std::string without_rights;  // advice if the user may not use the queues: "grant it ..."
  DeliveryLimit* delivery_limit = nullptr;  // of the request queue; outlives this
};

class AmqpBroker : public Broker {
 public:
  explicit AmqpBroker(AmqpBrokerOptions options) : options_(std::move(options)) {}

  Task<amqp::Result<std::unique_ptr<Link>>> open() override;

 private:
  AmqpBrokerOptions options_;
  std::size_t next_host_ = 0;
};

}  // namespace inventory::service
