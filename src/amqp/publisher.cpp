#include "amqp/publisher.h"

#include <random>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "amqp/channel.h"
#include "amqp/signal.h"

namespace amqp {
namespace {

// How much may wait to be written before the next message is encoded: a batch behind a blocked
// socket is not held twice.
constexpr std::size_t kUnwrittenMax = std::size_t{256} << 10;

std::string random_prefix() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}-", random(), random(), random());
}

}  // namespace

class PublisherImpl : public Channel, public std::enable_shared_from_this<PublisherImpl> {
 public:
  PublisherImpl(const std::shared_ptr<ConnectionImpl>& connection, PublisherOptions options)
      : Channel(connection, "publisher"), options_(options), progress_(connection->executor()) {
    confirms_.set_message_id_prefix(random_prefix());
  }

  Task<Result<void>> start();
  Task<Result<std::vector<Settlement>>> publish(std::span<const Message> messages);

  // What is under way at the end of a call, if it was cancelled, is nobody's any more: confirms and
  // returns for it find nothing.
  struct Batch {
    explicit Batch(PublisherImpl& publisher) : publisher_(publisher) {}
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    ~Batch() { publisher_.confirms_.end(); }

   private:
    PublisherImpl& publisher_;
  };

 private:
  void send(const Message& message, std::size_t index);
  Task<void> wait_for_progress();
  bool on_method(const method::Incoming& method) override;
  bool on_confirm(std::uint64_t delivery_tag, bool multiple, Settlement settlement);
  void on_content(Content content) override;
  void on_progress() override;
  void on_over() override { progress_.notify(); }
  bool may_send() {
    return !connection().blocked() && connection().unwritten_bytes() < kUnwrittenMax;
  }

  const PublisherOptions options_;
  Signal progress_;
  Clock::time_point last_progress_;
  Confirms confirms_;
  bool in_confirm_mode_ = false;
};

Task<Result<void>> PublisherImpl::start() {
  auto opened = co_await open();
  if (!opened) co_return opened;
  const auto selected = co_await call<method::ConfirmSelectOk>(method::ConfirmSelect{});
  if (!selected) co_return std::unexpected(selected.error());
  in_confirm_mode_ = true;
  co_return Result<void>();
}

Task<Result<std::vector<Settlement>>> PublisherImpl::publish(std::span<const Message> messages) {
  const auto self = shared_from_this();
  const Batch batch(*this);
  confirms_.begin(messages);
  last_progress_ = Clock::now();
  for (std::size_t i = 0; i < messages.size() && !failure(); ++i) {
    while (!failure() && !may_send()) co_await wait_for_progress();
    if (!failure()) send(messages[i], i);
  }
  while (!failure() && confirms_.unsettled() > 0) co_await wait_for_progress();
  if (const auto& failed = failure()) co_return std::unexpected(*failed);
  co_return confirms_.take();
}

void PublisherImpl::send(const Message& message, std::size_t index) {
  std::string generated;
  std::optional<std::string_view> message_id;
  if (!message.properties.message_id && !message.keeps_properties) {
    generated = confirms_.next_message_id();
    message_id = generated;
  }
  if (!connection().send_message(number(), message, message_id)) return;  // too_large
  confirms_.sent(index);
}

Task<void> PublisherImpl::wait_for_progress() {
  if (connection().blocked()) {
    co_await progress_.wait();
    last_progress_ = Clock::now();
    co_return;
  }
  const auto deadline = last_progress_ + options_.confirm_timeout;
  if (Clock::now() < deadline) {
    co_await progress_.wait_until(deadline);
    co_return;
  }
  std::string why = fmt::format("no confirm for {} ms while {} messages wait for theirs",
                                options_.confirm_timeout.count(), confirms_.unsettled());
  if (const Message* first = confirms_.first_unsettled(); first != nullptr) {
    why += fmt::format(", the first for queue {}", first->routing_key);
  }
  connection().fail(connection().link_lost(why));
}

bool PublisherImpl::on_method(const method::Incoming& method) {
  if (!in_confirm_mode_) return false;
  if (const auto* ack = std::get_if<method::BasicAck>(&method)) {
    return on_confirm(ack->delivery_tag, ack->multiple, Settlement::confirmed);
  }
  if (const auto* nack = std::get_if<method::BasicNack>(&method)) {
    return on_confirm(nack->delivery_tag, nack->multiple, Settlement::rejected);
  }
  return std::holds_alternative<method::BasicReturn>(method);
}

// False: a delivery tag that was never given.
bool PublisherImpl::on_confirm(std::uint64_t delivery_tag, bool multiple, Settlement settlement) {
  if (!confirms_.confirm(delivery_tag, multiple, settlement)) return false;
  last_progress_ = Clock::now();
  if (confirms_.unsettled() == 0) progress_.notify();
  return true;
}

void PublisherImpl::on_content(Content content) {
  const auto& returned = std::get<method::BasicReturn>(content.method);
  confirms_.returned(content.properties.message_id.value_or(""), returned.routing_key);
}

void PublisherImpl::on_progress() {
  last_progress_ = Clock::now();
  progress_.notify();
}

Publisher::Publisher(std::shared_ptr<PublisherImpl> impl) : impl_(std::move(impl)) {}

Publisher::~Publisher() {
  impl_->end({.fault = Fault::stopping, .what = "publisher: it was destroyed", .reply_code = 0});
}

Task<Result<std::unique_ptr<Publisher>>> Publisher::open(Connection& connection,
                                                         PublisherOptions options) {
  const auto impl = std::make_shared<PublisherImpl>(connection.impl(), options);
  auto started = co_await impl->start();
  if (!started) co_return std::unexpected(std::move(started.error()));
  co_return std::make_unique<Publisher>(impl);
}

Task<Result<std::vector<Settlement>>> Publisher::publish(std::span<const Message> messages) {
  return impl_->publish(messages);
}

}  // namespace amqp
