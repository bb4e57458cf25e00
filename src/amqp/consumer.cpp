#include "amqp/consumer.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "amqp/channel.h"
#include "amqp/signal.h"

namespace amqp {
namespace {

constexpr std::string_view kConsumerTag = "consumer";  // its channel has no other

}  // namespace

class ConsumerImpl : public Channel, public std::enable_shared_from_this<ConsumerImpl> {
 public:
  ConsumerImpl(const std::shared_ptr<ConnectionImpl>& connection, ConsumerOptions options)
      : Channel(connection, fmt::format("queue '{}'", options.queue)),
        options_(std::move(options)),
        arrived_(connection->executor()) {}
  ~ConsumerImpl() override { discard(); }

  Task<Result<void>> start();
  Task<Result<std::vector<Delivery>>> receive(std::size_t count, Clock::time_point deadline);
  void acknowledge(std::uint64_t delivery_tag, bool multiple);
  std::size_t waiting() const { return waiting_.size(); }
  void stop();

  Error stopping() const {
    return {.fault = Fault::stopping,
            .what = fmt::format("queue '{}': the consumer was stopped", options_.queue)};
  }

 private:
  struct Waiting {
    Delivery delivery;
    std::size_t size;
  };

  bool on_method(const method::Incoming& method) override;
  void on_content(Content content) override;
  void on_over() override;
  void discard();
  void pause_or_resume();

  const ConsumerOptions options_;
  Signal arrived_;
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool has_paused_ = false;
  bool is_consuming_ = false;
  bool is_stopped_ = false;
};

Task<Result<void>> ConsumerImpl::start() {
  // In AMQP, 0 means no limit.
  if (options_.prefetch == 0) co_return std::unexpected(refused("a prefetch of 0 is not allowed"));
  auto opened = co_await open();
  if (!opened) co_return opened;
  const auto limited = co_await call<method::BasicQosOk>(method::BasicQos{options_.prefetch});
  if (!limited) co_return std::unexpected(limited.error());
  is_consuming_ = true;
  const auto consuming = co_await call<method::BasicConsumeOk>(
      method::BasicConsume{.queue = options_.queue, .consumer_tag = std::string(kConsumerTag)});
  if (!consuming) co_return std::unexpected(consuming.error());
  co_return Result<void>();
}

Task<Result<std::vector<Delivery>>> ConsumerImpl::receive(std::size_t count,
                                                          Clock::time_point deadline) {
  const auto self = shared_from_this();
  while (waiting_.empty() && !is_stopped_ && !failure() && Clock::now() < deadline) {
    co_await arrived_.wait_until(deadline);
  }
  if (is_stopped_) co_return std::unexpected(stopping());
  if (const auto& failed = failure()) co_return std::unexpected(*failed);
  std::vector<Delivery> taken;
  taken.reserve(std::min(count, waiting_.size()));
  while (taken.size() < count && !waiting_.empty()) {
    waiting_bytes_ -= waiting_.front().size;
    taken.push_back(std::move(waiting_.front().delivery));
    waiting_.pop_front();
  }
  pause_or_resume();
  co_return taken;
}

void ConsumerImpl::acknowledge(std::uint64_t delivery_tag, bool multiple) {
  if (failure()) return;
  connection().send(number(), method::BasicAck{.delivery_tag = delivery_tag, .multiple = multiple});
}

void ConsumerImpl::stop() {
  if (is_stopped_ || failure()) return;
  is_stopped_ = true;
  discard();
  arrived_.notify();
  connection().send(number(), method::BasicCancel{std::string(kConsumerTag)});
}

bool ConsumerImpl::on_method(const method::Incoming& method) {
  if (!is_consuming_) return false;
  if (std::holds_alternative<method::BasicCancel>(method)) {
    if (!is_stopped_) {
      end(refused("the broker has cancelled the consumer: the queue was deleted or has moved"));
    }
    return true;
  }
  if (std::holds_alternative<method::BasicCancelOk>(method)) return is_stopped_;
  return std::holds_alternative<method::BasicDeliver>(method);
}

void ConsumerImpl::on_content(Content content) {
  if (is_stopped_) return;  // it goes back to the queue when the channel closes
  const auto& deliver = std::get<method::BasicDeliver>(content.method);
  waiting_bytes_ += content.size;
  waiting_.push_back({.delivery = {.delivery_tag = deliver.delivery_tag,
                                   .redelivered = deliver.redelivered,
                                   .properties = std::move(content.properties),
                                   .body = std::move(content.body),
                                   .received_at = Clock::now(),
                                   .undecodable = std::move(content.undecodable)},
                      .size = content.size});
  pause_or_resume();
  if (waiting_.size() == 1) arrived_.notify();
}

void ConsumerImpl::on_over() {
  discard();
  arrived_.notify();
}

void ConsumerImpl::discard() {
  waiting_.clear();
  waiting_bytes_ = 0;
  pause_or_resume();
}

void ConsumerImpl::pause_or_resume() {
  const bool is_full = waiting_bytes_ > options_.buffered_bytes_max;
  if (is_full == has_paused_) return;
  has_paused_ = is_full;
  if (is_full) {
    connection().pause_reading();
  } else {
    connection().resume_reading();
  }
}

Consumer::Consumer(std::shared_ptr<ConsumerImpl> impl) : impl_(std::move(impl)) {}

Consumer::~Consumer() { impl_->end(impl_->stopping()); }

Task<Result<std::unique_ptr<Consumer>>> Consumer::open(Connection& connection,
                                                       ConsumerOptions options) {
  const auto impl = std::make_shared<ConsumerImpl>(connection.impl(), std::move(options));
  auto started = co_await impl->start();
  if (!started) co_return std::unexpected(std::move(started.error()));
  co_return std::make_unique<Consumer>(impl);
}

Task<Result<std::vector<Delivery>>> Consumer::receive(
    std::size_t count, std::chrono::steady_clock::time_point deadline) {
  return impl_->receive(count, deadline);
}

void Consumer::acknowledge_up_to(std::uint64_t delivery_tag) {
  impl_->acknowledge(delivery_tag, true);
}

void Consumer::acknowledge(std::uint64_t delivery_tag) { impl_->acknowledge(delivery_tag, false); }

std::size_t Consumer::waiting() const { return impl_->waiting(); }

void Consumer::stop() { impl_->stop(); }

}  // namespace amqp
