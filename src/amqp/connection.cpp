#include "amqp/connection.h"

#include <utility>

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include "amqp/channel.h"
#include "amqp/connection_impl.h"

namespace amqp {
namespace {

constexpr std::uint16_t kNotFound = 404;
constexpr std::uint16_t kResourceLocked = 405;
constexpr std::uint16_t kPreconditionFailed = 406;

// Uses a channel of its own, since a refusal closes it.
Task<Result<method::QueueDeclareOk>> declare(std::shared_ptr<ConnectionImpl> connection,
                                             method::QueueDeclare queue) {
  Channel channel(std::move(connection), fmt::format("queue '{}'", queue.queue));
  const auto opened = co_await channel.open();
  if (!opened) co_return std::unexpected(opened.error());
  co_return co_await channel.call<method::QueueDeclareOk>(std::move(queue));
}

method::QueueDeclare declaration(std::string name, QueueType type) {
  method::QueueDeclare declare{.queue = std::move(name), .durable = true, .arguments = {}};
  declare.arguments.push_back(
      {"x-queue-type", std::string(type == QueueType::quorum ? "quorum" : "classic")});
  if (type == QueueType::quorum) declare.arguments.push_back({kDeliveryLimit, kNoDeliveryLimit});
  return declare;
}

Task<Result<method::ExchangeDeclareOk>> declare(std::shared_ptr<ConnectionImpl> connection,
                                                method::ExchangeDeclare exchange) {
  Channel channel(std::move(connection), fmt::format("exchange '{}'", exchange.exchange));
  const auto opened = co_await channel.open();
  if (!opened) co_return std::unexpected(opened.error());
  co_return co_await channel.call<method::ExchangeDeclareOk>(std::move(exchange));
}

template <class Answer>
bool is_refusal(const Result<Answer>& result, std::uint16_t reply_code) {
  return !result && result.error().fault == Fault::refused &&
         result.error().reply_code == reply_code;
}

}  // namespace

Connection::Connection(std::shared_ptr<ConnectionImpl> impl) : impl_(std::move(impl)) {}

Connection::~Connection() { drop(); }

Task<Result<std::shared_ptr<Connection>>> Connection::open(Endpoint endpoint, Host host,
                                                           ConnectionOptions options) {
  // Created first: its destructor ends the I/O if this coroutine is cancelled.
  auto connection = std::make_shared<Connection>(
      std::make_shared<ConnectionImpl>(co_await boost::asio::this_coro::executor,
                                       std::move(endpoint), std::move(host), std::move(options)));
  auto opened = co_await connection->impl_->open();
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  co_return connection;
}

Task<void> Connection::close() { return impl_->close(); }

void Connection::drop() { impl_->fail(impl_->link_lost("the connection was given up")); }

bool Connection::is_open() const { return !impl_->failure(); }

std::optional<Error> Connection::failure() const { return impl_->failure(); }

std::optional<std::string> Connection::blocked() const { return impl_->blocked(); }

Task<Result<void>> Connection::ensure_queue(std::string name, QueueType type) {
  const auto connection = impl_;
  const method::QueueDeclare passive{.queue = name, .passive = true, .arguments = {}};
  auto declared = co_await declare(connection, passive);
  if (is_refusal(declared, kNotFound)) {
    declared = co_await declare(connection, declaration(std::move(name), type));
    // Somebody else has declared it meanwhile, with other arguments.
    if (is_refusal(declared, kPreconditionFailed)) declared = co_await declare(connection, passive);
  }
  // Exclusive to another connection: it exists, and messages can be published to it.
  if (is_refusal(declared, kResourceLocked)) co_return Result<void>();
  if (!declared) co_return std::unexpected(std::move(declared.error()));
  co_return Result<void>();
}

Task<Result<void>> Connection::ensure_topic_exchange(std::string name) {
  const auto connection = impl_;
  const method::ExchangeDeclare passive{
      .exchange = std::move(name), .type = "topic", .passive = true, .durable = true};
  auto declared = co_await declare(connection, passive);
  if (is_refusal(declared, kNotFound)) {
    method::ExchangeDeclare active = passive;
    active.passive = false;
    declared = co_await declare(connection, std::move(active));
    // Somebody else has declared it meanwhile, with another type.
    if (is_refusal(declared, kPreconditionFailed)) declared = co_await declare(connection, passive);
  }
  if (!declared) co_return std::unexpected(std::move(declared.error()));
  co_return Result<void>();
}

Task<Result<QueueTerms>> Connection::examine_queue(std::string name, QueueType expected) {
  constexpr int kTriesMax = 8;  // one more for each argument that has to be repeated
  const auto connection = impl_;
  auto declared = co_await declare(connection, {.queue = name, .passive = true, .arguments = {}});
  if (is_refusal(declared, kResourceLocked)) co_return QueueTerms{};
  if (!declared) co_return std::unexpected(std::move(declared.error()));
  QueueType type = expected;
  std::vector<method::QueueArgument> repeated;
  for (int tries = 0; tries < kTriesMax; ++tries) {
    auto declare_again = declaration(name, type);
    auto& arguments = declare_again.arguments;
    arguments.insert(arguments.end(), repeated.begin(), repeated.end());
    declared = co_await declare(connection, std::move(declare_again));
    if (declared) co_return QueueTerms{.type = type, .delivery_limit = kNoDeliveryLimit};
    if (declared.error().fault != Fault::refused) {
      co_return std::unexpected(std::move(declared.error()));
    }
    const auto difference = read_difference(declared.error().what);
    if (declared.error().reply_code != kPreconditionFailed || !difference) co_return QueueTerms{};
    if (difference->argument == "x-queue-type") {
      if (difference->is_quorum() && type == QueueType::classic) {
        type = QueueType::quorum;
        continue;
      }
      co_return QueueTerms{.type = difference->type()};
    }
    if (difference->argument == kDeliveryLimit) {
      co_return QueueTerms{
          .type = type, .delivery_limit = difference->delivery_limit(connection->broker_version())};
    }
    // Repeat an argument that does not matter here, so that the broker compares the next one.
    auto repeatable = difference->repeatable();
    if (!repeatable) co_return QueueTerms{};
    repeated.push_back(std::move(*repeatable));
  }
  co_return QueueTerms{};
}

Task<Result<QueueCount>> Connection::count(std::string queue) {
  auto declared =
      co_await declare(impl_, {.queue = std::move(queue), .passive = true, .arguments = {}});
  if (!declared) co_return std::unexpected(std::move(declared.error()));
  co_return QueueCount{declared->message_count, declared->consumer_count};
}

Task<Result<std::string>> Connection::declare_reply_queue() {
  auto declared = co_await declare(impl_, {.queue = {}, .exclusive = true, .arguments = {}});
  if (!declared) co_return std::unexpected(std::move(declared.error()));
  co_return std::move(declared->queue);
}

Task<Result<void>> Connection::declare_exclusive_queue(std::string name) {
  auto declared =
      co_await declare(impl_, {.queue = std::move(name), .exclusive = true, .arguments = {}});
  if (!declared) co_return std::unexpected(std::move(declared.error()));
  co_return Result<void>();
}

Task<Result<void>> Connection::delete_queue(std::string name) {
  Channel channel(impl_, fmt::format("queue '{}'", name));
  const auto opened = co_await channel.open();
  if (!opened) co_return std::unexpected(opened.error());
  auto deleted =
      co_await channel.call<method::QueueDeleteOk>(method::QueueDelete{.queue = std::move(name)});
  if (!deleted) co_return std::unexpected(std::move(deleted.error()));
  co_return Result<void>();
}

}  // namespace amqp
