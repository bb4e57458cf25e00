#pragma once

// AmqpReserves: reads queues of RabbitMQ over one connection, each over a channel of its own. Who
// reads a queue has an exclusive queue besides (contract::reserve_lock()), which ends with the
// connection: the lock that keeps other routers away.
//
// Not: does not retry. Each connection is to the next of the endpoint's hosts.

#include <cstddef>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "amqp/connection.h"
#include "amqp/endpoint.h"
#include "router/reserves.h"
#include "router/turn.h"

namespace inventory::router {

struct AmqpReservesOptions {
  amqp::Endpoint endpoint;
  amqp::TlsOptions tls;
  std::string name;  // of the connection
};

class AmqpReserves : public Reserves {
 public:
  AmqpReserves(const boost::asio::any_io_executor& executor, AmqpReservesOptions options);

  Task<amqp::Result<std::unique_ptr<Reserve>>> open(std::string queue) override;
  Task<amqp::Result<std::uint32_t>> consumers(std::string queue) override;
  void drop() override;

  struct Shared;

 private:
  std::shared_ptr<Shared> shared_;  // with what is still given back
};

}  // namespace inventory::router
