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

// On a channel of its own: a refusal closes it.
Task<Result<std::string>> declare(std::shared_ptr<ConnectionImpl> connection,
                                  method::QueueDeclare queue) {
  Channel channel(std::move(connection), fmt::format("queue '{}'", queue.queue));
  const auto opened = co_await channel.open();
  if (!opened) co_return std::unexpected(opened.error());
  auto declared = co_await channel.call<method::QueueDeclareOk>(std::move(queue));
  if (!declared) co_return std::unexpected(std::move(declared.error()));
  co_return std::move(declared->queue);
}

bool is_refusal(const Result<std::string>& result, std::uint16_t reply_code) {
  return !result && result.error().fault == Fault::refused &&
         result.error().reply_code == reply_code;
}

}  // namespace

Connection::Connection(std::shared_ptr<ConnectionImpl> impl) : impl_(std::move(impl)) {}

Connection::~Connection() { drop(); }

Task<Result<std::shared_ptr<Connection>>> Connection::open(Endpoint endpoint, Host host,
                                                           ConnectionOptions options) {
  // Made at once: its destructor ends the I/O if this coroutine is cancelled.
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
  const method::QueueDeclare passive{.queue = name, .passive = true, .type = {}};
  auto declared = co_await declare(connection, passive);
  if (is_refusal(declared, kNotFound)) {
    declared =
        co_await declare(connection, {.queue = std::move(name),
                                      .durable = true,
                                      .type = type == QueueType::quorum ? "quorum" : "classic"});
    // Somebody else has made it meanwhile, with other arguments.
    if (is_refusal(declared, kPreconditionFailed)) declared = co_await declare(connection, passive);
  }
  // Exclusive to another connection: it is there, and can be published to.
  if (is_refusal(declared, kResourceLocked)) co_return Result<void>();
  if (!declared) co_return std::unexpected(std::move(declared.error()));
  co_return Result<void>();
}

Task<Result<std::string>> Connection::declare_reply_queue() {
  return declare(impl_, {.queue = {}, .exclusive = true, .type = {}});
}

}  // namespace amqp
