#include "cli/request_client.h"

#include <cstdio>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>
#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <fmt/format.h>

#include "cli/broker_client.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/publishing.h"
#include "domain/ledger.h"
#include "terminal/printable.h"

namespace inventory::cli {
namespace {

constexpr std::int64_t kTimeoutMaxSeconds = 3600;

amqp::Message make_message(ClientRequest request, const std::string& reply_queue) {
  amqp::Message message;
  message.routing_key = std::move(request.queue);
  message.body = std::move(request.body);
  message.properties.content_type = "application/json";
  message.properties.delivery_mode = 2;
  message.properties.message_id = request.id;
  message.properties.correlation_id = std::move(request.id);
  message.properties.reply_to = reply_queue;
  return message;
}

RequestClient::Task<std::string> ask_once(const config::Configuration& configuration,
                                          ClientRequest request, std::chrono::seconds timeout) {
  auto opened = co_await RequestClient::open(configuration, "inventory-service client", 1);
  if (!opened) co_return Wrong(std::move(opened.error()));
  RequestClient& client = **opened;
  const std::string id = request.id;
  std::vector<ClientRequest> requests;
  requests.push_back(std::move(request));
  auto sent = co_await client.send(std::move(requests), timeout);
  if (!sent) co_return Wrong(std::move(sent.error()));
  for (;;) {
    auto replies = co_await client.receive(timeout);
    if (!replies) co_return Wrong(std::move(replies.error()));
    for (amqp::Delivery& reply : *replies) {
      if (reply.properties.correlation_id != id) continue;
      co_await client.close();
      co_return std::move(reply.body);
    }
  }
}

amqp::Task<int> ask_within(const config::Configuration& configuration, ClientRequest request,
                           std::chrono::seconds timeout) {
  using namespace boost::asio::experimental::awaitable_operators;
  boost::asio::steady_timer deadline(co_await boost::asio::this_coro::executor, timeout);
  const auto ended = co_await (ask_once(configuration, std::move(request), timeout) ||
                               deadline.async_wait(boost::asio::use_awaitable));
  if (ended.index() == 1) {
    co_return report_failure(fmt::format("no answer within {} s", timeout.count()));
  }
  const auto& reply = std::get<0>(ended);
  if (!reply) co_return report_failure(reply.error());
  fmt::print("{}\n", terminal::printable_json(*reply));
  co_return is_success(*reply) ? kExitDone : kExitNo;
}

}  // namespace

RequestClient::Task<std::unique_ptr<RequestClient>> RequestClient::open(
    const config::Configuration& configuration, std::string name, std::uint16_t window) {
  auto connection = co_await connect(configuration, std::move(name));
  if (!connection) co_return Wrong(std::move(connection.error().what));
  auto client = std::make_unique<RequestClient>();
  client->connection_ = std::move(*connection);
  client->window_ = window;
  auto reply_queue = co_await client->connection_->declare_reply_queue();
  if (!reply_queue) co_return Wrong(std::move(reply_queue.error().what));
  client->reply_queue_ = *std::move(reply_queue);
  auto consumer = co_await amqp::Consumer::open(
      *client->connection_, {.queue = client->reply_queue_, .prefetch = window});
  if (!consumer) co_return Wrong(std::move(consumer.error().what));
  client->consumer_ = std::move(*consumer);
  auto publisher = co_await amqp::Publisher::open(*client->connection_, {});
  if (!publisher) co_return Wrong(std::move(publisher.error().what));
  client->publisher_ = std::move(*publisher);
  co_return client;
}

RequestClient::Task<void> RequestClient::send(std::vector<ClientRequest> requests,
                                              std::chrono::seconds timeout) {
  std::vector<amqp::Message> messages;
  messages.reserve(requests.size());
  for (ClientRequest& request : requests) {
    messages.push_back(make_message(std::move(request), reply_queue_));
  }
  const auto settlements = co_await publish_within(*publisher_, messages, timeout);
  if (!settlements) co_return Wrong(settlements.error().what);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto why = why_not_taken((*settlements)[i], messages[i].routing_key);
    if (why.empty()) continue;
    const bool is_absent = (*settlements)[i] == amqp::Settlement::returned;
    co_return Wrong(why + (is_absent ? ": has the service been started?" : ""));
  }
  co_return std::expected<void, std::string>();
}

RequestClient::Task<std::vector<amqp::Delivery>> RequestClient::receive(
    std::chrono::seconds timeout) {
  using namespace boost::asio::experimental::awaitable_operators;
  boost::asio::steady_timer deadline(co_await boost::asio::this_coro::executor, timeout);
  auto received =
      co_await (consumer_->receive(window_) || deadline.async_wait(boost::asio::use_awaitable));
  if (received.index() == 1) {
    co_return Wrong(fmt::format("no reply for {} s: does the service run?", timeout.count()));
  }
  auto& replies = std::get<0>(received);
  if (!replies) co_return Wrong(std::move(replies.error().what));
  consumer_->acknowledge_up_to(replies->back().delivery_tag);
  co_return std::move(*replies);
}

amqp::Task<void> RequestClient::close() { return connection_->close(); }

ClientRequest new_request(std::string queue, std::string body) {
  return {.queue = std::move(queue),
          .body = std::move(body),
          .id = to_string(boost::uuids::random_generator()())};
}

ClientRequest same_request(std::string queue, std::string body) {
  auto id = fmt::format("command-{:016x}", static_cast<std::uint64_t>(domain::stable_hash(body)));
  return {.queue = std::move(queue), .body = std::move(body), .id = std::move(id)};
}

int ask(const config::Configuration& configuration, ClientRequest request,
        std::chrono::seconds timeout) {
  return run_to_end(ask_within(configuration, std::move(request), timeout));
}

bool is_success(std::string_view reply) {
  boost::system::error_code error;
  const auto value = boost::json::parse(reply, error);
  if (error || !value.is_object()) return false;
  const auto* success = value.get_object().if_contains("success");
  return success != nullptr && success->is_bool() && success->get_bool();
}

Option timeout_option(std::string_view of_what) {
  return {"--timeout", "SECONDS", fmt::format("maximum wait for {} (default 10)", of_what)};
}

std::expected<std::chrono::seconds, std::string> read_timeout(const Arguments& given) {
  const auto seconds =
      read_integer("--timeout", given.option("--timeout").value_or("10"), 1, kTimeoutMaxSeconds);
  if (!seconds) return Wrong(seconds.error());
  return std::chrono::seconds(*seconds);
}

}  // namespace inventory::cli
