#include "cli/request_client.h"

#include <exception>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "amqp/connection.h"
#include "amqp/consumer.h"
#include "amqp/publisher.h"
#include "cli/broker_client.h"

namespace inventory::cli {
namespace {

using amqp::Task;
using Reply = std::expected<std::string, std::string>;

Task<Reply> exchange(const config::Configuration& configuration, ClientRequest request) {
  auto connection = co_await connect(configuration, "inventory-service client");
  if (!connection) {
    co_return std::unexpected(connection.error().what);
  }
  auto reply_queue = co_await (*connection)->declare_reply_queue();
  if (!reply_queue) {
    co_return std::unexpected(reply_queue.error().what);
  }
  auto consumer = co_await amqp::Consumer::open(**connection, {.queue = *reply_queue});
  if (!consumer) {
    co_return std::unexpected(consumer.error().what);
  }
  auto publisher = co_await amqp::Publisher::open(**connection, {});
  if (!publisher) {
    co_return std::unexpected(publisher.error().what);
  }
  std::vector<amqp::Message> messages(1);
  messages[0].routing_key = request.queue;
  messages[0].body = std::move(request.body);
  messages[0].properties.content_type = "application/json";
  messages[0].properties.delivery_mode = 2;
  messages[0].properties.message_id = request.id;
  messages[0].properties.correlation_id = request.id;
  messages[0].properties.reply_to = *reply_queue;
  auto settlements = co_await (*publisher)->publish(messages);
  if (!settlements) {
    co_return std::unexpected(settlements.error().what);
  }
  if (settlements->front() == amqp::Settlement::returned) {
    co_return std::unexpected(
        fmt::format("there is no queue {}: has the service been started?", request.queue));
  }
  if (settlements->front() != amqp::Settlement::confirmed) {
    co_return std::unexpected(
        fmt::format("the broker does not take the request for {}", request.queue));
  }
  for (;;) {
    auto deliveries = co_await (*consumer)->receive(1);
    if (!deliveries) {
      co_return std::unexpected(deliveries.error().what);
    }
    amqp::Delivery& delivery = deliveries->front();
    (*consumer)->acknowledge_up_to(delivery.delivery_tag);
    if (delivery.properties.correlation_id == request.id) {
      co_await (*connection)->close();
      co_return std::move(delivery.body);
    }
  }
}

Task<Reply> exchange_within(const config::Configuration& configuration, ClientRequest request,
                            std::chrono::milliseconds timeout) {
  using namespace boost::asio::experimental::awaitable_operators;
  boost::asio::steady_timer deadline(co_await boost::asio::this_coro::executor, timeout);
  auto result = co_await (exchange(configuration, std::move(request)) ||
                          deadline.async_wait(boost::asio::use_awaitable));
  if (result.index() == 0) {
    co_return std::get<0>(std::move(result));
  }
  co_return std::unexpected(
      fmt::format("no answer within {} s", std::chrono::duration<double>(timeout).count()));
}

}  // namespace

Reply ask(const config::Configuration& configuration, ClientRequest request,
          std::chrono::milliseconds timeout) {
  boost::asio::io_context context{1};
  Reply reply;
  boost::asio::co_spawn(context, exchange_within(configuration, std::move(request), timeout),
                        [&](const std::exception_ptr& error, Reply result) {
                          if (error) {
                            std::rethrow_exception(error);
                          }
                          reply = std::move(result);
                          context.stop();
                        });
  context.run();
  return reply;
}

}  // namespace inventory::cli
