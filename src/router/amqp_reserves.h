#pragma once

// AmqpReserves: reads queues of RabbitMQ over one connection, each over a channel of its own.
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
  AmqpReserves(const boost::asio::any_io_executor& executor, AmqpReservesOptions options)
      : options_(std::move(options)), turns_(executor) {}

  Task<amqp::Result<std::unique_ptr<Reserve>>> open(std::string queue) override;
  void drop() override;

 private:
  AmqpReservesOptions options_;
  Turns turns_;
  std::shared_ptr<amqp::Connection> connection_;
  std::size_t next_host_ = 0;
  std::size_t drops_ = 0;  // an open() that began before the last one fails
};

}  // namespace inventory::router
