#include "cli/broker_client.h"

#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace inventory::cli {

amqp::Task<amqp::Result<std::shared_ptr<amqp::Connection>>> connect(
    const config::Configuration& configuration, std::string name) {
  amqp::ConnectionOptions options;
  options.name = std::move(name);
  options.tls = configuration.amqp_tls;
  std::string reasons;
  for (const amqp::Host& host : configuration.amqp_endpoint.hosts) {
    auto connection = co_await amqp::Connection::open(configuration.amqp_endpoint, host, options);
    if (connection) {
      co_return connection;
    }
    reasons += (reasons.empty() ? "" : "; ") + connection.error().what;
  }
  co_return std::unexpected(amqp::Error{amqp::Fault::link_lost, std::move(reasons)});
}

int run_to_end(amqp::Task<int> command) {
  boost::asio::io_context context{1};
  int status = 0;
  boost::asio::co_spawn(context, std::move(command),
                        [&](const std::exception_ptr& error, int ended) {
                          if (error) {
                            std::rethrow_exception(error);
                          }
                          status = ended;
                          context.stop();
                        });
  context.run();
  return status;
}

}  // namespace inventory::cli
