#include "amqp/browser.h"

#include <utility>

#include <fmt/format.h>

#include "amqp/channel.h"
#include "amqp/signal.h"

namespace amqp {

class BrowserImpl : public Channel, public std::enable_shared_from_this<BrowserImpl> {
 public:
  BrowserImpl(const std::shared_ptr<ConnectionImpl>& connection, BrowserOptions options)
      : Channel(connection, fmt::format("queue '{}'", options.queue)),
        options_(std::move(options)),
        answered_(connection->executor()) {}

  Task<Result<std::optional<Browsed>>> next();
  void remove(std::uint64_t delivery_tag);
  Task<Result<void>> finish();

 private:
  bool on_method(const method::Incoming& method) override;
  void on_content(Content content) override;
  void on_over() override { answered_.notify(); }

  const BrowserOptions options_;
  Signal answered_;
  bool is_asking_ = false;  // basic.get was sent, and its answer is not complete
  std::optional<Browsed> taken_;
};

Task<Result<std::optional<Browsed>>> BrowserImpl::next() {
  const auto self = shared_from_this();
  if (const auto& failed = failure()) co_return std::unexpected(*failed);
  if (!connection().send(number(), method::BasicGet{options_.queue})) {
    co_return std::unexpected(refused("a name has more than 255 bytes"));
  }
  is_asking_ = true;
  taken_.reset();
  const auto deadline = Clock::now() + options_.message_timeout;
  while (is_asking_ && !failure() && Clock::now() < deadline) {
    co_await answered_.wait_until(deadline);
  }
  if (const auto& failed = failure()) co_return std::unexpected(*failed);
  if (is_asking_) {
    Error error =
        connection().link_lost(fmt::format("queue '{}': no answer to basic.get for {} ms",
                                           options_.queue, options_.message_timeout.count()));
    connection().fail(error);
    co_return std::unexpected(std::move(error));
  }
  co_return std::exchange(taken_, std::nullopt);
}

void BrowserImpl::remove(std::uint64_t delivery_tag) {
  if (failure()) return;
  connection().send(number(), method::BasicAck{.delivery_tag = delivery_tag, .multiple = false});
}

Task<Result<void>> BrowserImpl::finish() {
  const auto self = shared_from_this();
  if (const auto& failed = failure()) co_return std::unexpected(*failed);
  // Tag 0: everything that is outstanding.
  connection().send(number(), method::BasicNack{.delivery_tag = 0, .multiple = true});
  // Of no consequence but that its answer comes when all that was sent before has been done.
  const auto done = co_await call<method::BasicQosOk>(method::BasicQos{.prefetch = 1});
  if (!done) co_return std::unexpected(done.error());
  co_return Result<void>();
}

bool BrowserImpl::on_method(const method::Incoming& method) {
  if (!is_asking_) return false;
  if (std::holds_alternative<method::BasicGetOk>(method)) return true;
  if (!std::holds_alternative<method::BasicGetEmpty>(method)) return false;
  is_asking_ = false;
  answered_.notify();
  return true;
}

void BrowserImpl::on_content(Content content) {
  const auto& fetched = std::get<method::BasicGetOk>(content.method);
  taken_ = Browsed{.delivery = {.delivery_tag = fetched.delivery_tag,
                                .redelivered = fetched.redelivered,
                                .properties = std::move(content.properties),
                                .body = std::move(content.body)},
                   .messages_behind = fetched.message_count};
  is_asking_ = false;
  answered_.notify();
}

Browser::Browser(std::shared_ptr<BrowserImpl> impl) : impl_(std::move(impl)) {}

Browser::~Browser() {
  impl_->end({.fault = Fault::stopping, .what = "the browser was destroyed", .reply_code = 0});
}

Task<Result<std::unique_ptr<Browser>>> Browser::open(Connection& connection,
                                                     BrowserOptions options) {
  auto impl = std::make_shared<BrowserImpl>(connection.impl(), std::move(options));
  const auto opened = co_await impl->open();
  if (!opened) co_return std::unexpected(opened.error());
  co_return std::make_unique<Browser>(std::move(impl));
}

Task<Result<std::optional<Browsed>>> Browser::next() { return impl_->next(); }

void Browser::remove(std::uint64_t delivery_tag) { impl_->remove(delivery_tag); }

Task<Result<void>> Browser::finish() { return impl_->finish(); }

}  // namespace amqp
