#include "amqp/browser.h"

#include <deque>
#include <set>
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
  Task<Result<void>> remove(std::span<const std::uint64_t> delivery_tags);
  Result<void> begin_to_remove(std::span<const std::uint64_t> delivery_tags);
  Task<Result<void>> finish();

 private:
  Task<Result<std::optional<Browsed>>> fetch();
  bool is_quorum() const { return options_.type != QueueType::classic; }
  void acknowledge(std::span<const std::uint64_t> delivery_tags);
  Task<Result<void>> put_back_in_steps();
  Task<Result<std::uint32_t>> count_ready();
  bool on_method(const method::Incoming& method) override;
  void on_content(Content content) override;
  void on_over() override { answered_.notify(); }

  const BrowserOptions options_;
  Signal answered_;
  bool is_asking_ = false;  // basic.get was sent, and its answer is not complete
  std::optional<Browsed> taken_;
  std::deque<Browsed> ahead_;     // taken during a remove()
  std::set<std::uint64_t> held_;  // delivery tags
};

Task<Result<std::optional<Browsed>>> BrowserImpl::next() {
  if (ahead_.empty()) co_return co_await fetch();
  Browsed message = std::move(ahead_.front());
  ahead_.pop_front();
  co_return message;
}

Task<Result<std::optional<Browsed>>> BrowserImpl::fetch() {
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

// A quorum queue answers basic.get only after earlier commands, but queue.declare at once. A
// classic queue executes all commands in order.
Task<Result<void>> BrowserImpl::remove(std::span<const std::uint64_t> delivery_tags) {
  const auto self = shared_from_this();
  while (!delivery_tags.empty()) {
    if (const auto& failed = failure()) co_return std::unexpected(*failed);
    const auto step =
        is_quorum() ? std::min(kRemovedAtOnceMax, delivery_tags.size()) : delivery_tags.size();
    acknowledge(delivery_tags.first(step));
    delivery_tags = delivery_tags.subspan(step);
    if (is_quorum()) {
      auto message = co_await fetch();
      if (!message) co_return std::unexpected(message.error());
      std::optional<Browsed>& next = *message;
      if (next) ahead_.push_back(std::move(*next));
    } else {
      const auto ready = co_await count_ready();
      if (!ready) co_return std::unexpected(ready.error());
    }
  }
  co_return Result<void>();
}

Result<void> BrowserImpl::begin_to_remove(std::span<const std::uint64_t> delivery_tags) {
  if (const auto& failed = failure()) return std::unexpected(*failed);
  acknowledge(delivery_tags);
  return {};
}

void BrowserImpl::acknowledge(std::span<const std::uint64_t> delivery_tags) {
  for (const std::uint64_t tag : delivery_tags) {
    held_.erase(tag);
    connection().send(number(), method::BasicAck{.delivery_tag = tag, .multiple = false});
  }
}

// When the channel answers queue.declare, with which put_back_in_steps() begins, it has passed
// every acknowledgement on to a quorum queue.
Task<Result<void>> BrowserImpl::finish() {
  const auto self = shared_from_this();
  if (const auto& failed = failure()) co_return std::unexpected(*failed);
  if (is_quorum()) {
    auto put_back = co_await put_back_in_steps();
    if (!put_back) co_return put_back;
  }
  // When the channel closes, a classic queue puts everything back at once and in order. After
  // basic.nack it would search for the position of each message: a minute for 12,000 messages, in
  // which it serves nobody.
  co_return co_await close();
}

// A quorum queue puts messages that were taken one by one back in any order if the channel closes,
// or if more than 32 commands are pending (quorum_commands_soft_limit). So this puts back a few,
// and the next when these are back.
Task<Result<void>> BrowserImpl::put_back_in_steps() {
  auto ready = co_await count_ready();
  if (!ready) co_return std::unexpected(ready.error());
  const auto deadline = Clock::now() + options_.put_back_timeout;
  std::size_t expected = *ready;
  for (auto held = held_.begin(); held != held_.end();) {
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < kRemovedAtOnceMax && held != held_.end(); ++i, ++expected)
      last = *held++;
    connection().send(number(), method::BasicNack{.delivery_tag = last, .multiple = true});
    do {
      // Others take messages meanwhile: then the order is lost anyway.
      if (Clock::now() > deadline) co_return Result<void>();
      ready = co_await count_ready();
      if (!ready) co_return std::unexpected(ready.error());
    } while (*ready < expected);
  }
  co_return Result<void>();
}

Task<Result<std::uint32_t>> BrowserImpl::count_ready() {
  const auto declared = co_await call<method::QueueDeclareOk>(
      method::QueueDeclare{.queue = options_.queue, .passive = true, .arguments = {}});
  if (!declared) co_return std::unexpected(declared.error());
  co_return declared->message_count;
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
                                .body = std::move(content.body),
                                .undecodable = std::move(content.undecodable)},
                   .messages_behind = fetched.message_count};
  held_.insert(fetched.delivery_tag);
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

Task<Result<void>> Browser::remove(std::span<const std::uint64_t> delivery_tags) {
  return impl_->remove(delivery_tags);
}

Result<void> Browser::begin_to_remove(std::span<const std::uint64_t> delivery_tags) {
  return impl_->begin_to_remove(delivery_tags);
}

Task<Result<void>> Browser::finish() { return impl_->finish(); }

}  // namespace amqp
