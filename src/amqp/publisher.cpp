#include "amqp/publisher.h"

#include <charconv>
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
      : Channel(connection, "publisher"), options_(options), progress_(connection->executor()) {}

  Task<Result<void>> start();
  Task<Result<std::vector<Settlement>>> publish(std::span<const Message> messages);

  // What is under way at the end of a call, if it was cancelled, is nobody's any more: confirms and
  // returns for it find nothing.
  struct Batch {
    explicit Batch(PublisherImpl& publisher) : publisher_(publisher) {}
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    ~Batch() { publisher_.forget_batch(); }

   private:
    PublisherImpl& publisher_;
  };

 private:
  // One message with a delivery tag: that of sent_[i] is first_tag_ + i.
  struct Sent {
    std::size_t message;
    bool is_settled = false;
    bool is_returned = false;
  };

  void send(std::size_t index);
  Task<void> wait_for_progress();
  void forget_batch();
  bool on_method(const method::Incoming& method) override;
  bool on_confirm(std::uint64_t delivery_tag, bool multiple, Settlement settlement);
  void settle(Sent& sent, Settlement settlement);
  void on_content(Content content) override;
  Sent* find_returned(std::string_view message_id, std::string_view routing_key);
  void on_progress() override;
  void on_over() override { progress_.notify(); }
  bool may_send() {
    return !connection().blocked() && connection().unwritten_bytes() < kUnwrittenMax;
  }

  const PublisherOptions options_;
  const std::string message_id_prefix_ = random_prefix();
  Signal progress_;
  Clock::time_point last_progress_;
  std::uint64_t next_tag_ = 1;  // delivery tags count from 1 on each channel
  bool confirms_ = false;

  // The batch under way.
  std::span<const Message> messages_;
  std::vector<Settlement> settlements_;
  std::uint64_t first_tag_ = 1;
  std::vector<Sent> sent_;
  std::size_t first_unsettled_ = 0;  // all below it are settled
  std::size_t unsettled_ = 0;
};

Task<Result<void>> PublisherImpl::start() {
  auto opened = co_await open();
  if (!opened) co_return opened;
  const auto selected = co_await call<method::ConfirmSelectOk>(method::ConfirmSelect{});
  if (!selected) co_return std::unexpected(selected.error());
  confirms_ = true;
  co_return Result<void>();
}

Task<Result<std::vector<Settlement>>> PublisherImpl::publish(std::span<const Message> messages) {
  const auto self = shared_from_this();
  const Batch batch(*this);
  messages_ = messages;
  settlements_.assign(messages.size(), Settlement::too_large);
  sent_.reserve(messages.size());
  last_progress_ = Clock::now();
  for (std::size_t i = 0; i < messages.size() && !failure(); ++i) {
    while (!failure() && !may_send()) co_await wait_for_progress();
    if (!failure()) send(i);
  }
  while (!failure() && unsettled_ > 0) co_await wait_for_progress();
  if (failure()) co_return std::unexpected(*failure());
  co_return std::move(settlements_);
}

void PublisherImpl::send(std::size_t index) {
  const Message& message = messages_[index];
  std::string generated;
  std::optional<std::string_view> message_id;
  if (!message.properties.message_id) {
    generated = fmt::format("{}{}", message_id_prefix_, next_tag_);
    message_id = generated;
  }
  if (!connection().send_message(number(), message, message_id)) return;  // too_large
  ++next_tag_;
  ++unsettled_;
  sent_.push_back({.message = index});
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
  connection().fail(
      connection().link_lost(fmt::format("no confirm for {} ms while {} messages wait for theirs",
                                         options_.confirm_timeout.count(), unsettled_)));
}

void PublisherImpl::forget_batch() {
  messages_ = {};
  sent_.clear();
  first_tag_ = next_tag_;
  first_unsettled_ = 0;
  unsettled_ = 0;
}

bool PublisherImpl::on_method(const method::Incoming& method) {
  if (!confirms_) return false;
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
  if (delivery_tag >= next_tag_) return false;
  if (multiple) {
    // 0 with multiple: all so far (AMQP 0-9-1, 1.8.3.13).
    const std::uint64_t last = delivery_tag == 0 ? next_tag_ - 1 : delivery_tag;
    for (std::size_t i = first_unsettled_; i < sent_.size() && first_tag_ + i <= last; ++i) {
      settle(sent_[i], settlement);
    }
  } else if (delivery_tag == 0) {
    return false;
  } else if (delivery_tag >= first_tag_) {
    settle(sent_[delivery_tag - first_tag_], settlement);
  }
  while (first_unsettled_ < sent_.size() && sent_[first_unsettled_].is_settled) ++first_unsettled_;
  last_progress_ = Clock::now();
  if (unsettled_ == 0) progress_.notify();
  return true;
}

void PublisherImpl::settle(Sent& sent, Settlement settlement) {
  if (sent.is_settled) return;
  sent.is_settled = true;
  --unsettled_;
  const bool was_returned = sent.is_returned && settlement == Settlement::confirmed;
  settlements_[sent.message] = was_returned ? Settlement::returned : settlement;
}

// basic.return bears no delivery tag. It comes before the message's own ack.
void PublisherImpl::on_content(Content content) {
  const auto& returned = std::get<method::BasicReturn>(content.method);
  if (!content.properties.message_id) return;  // none of ours is without
  Sent* const sent = find_returned(*content.properties.message_id, returned.routing_key);
  if (sent != nullptr) sent->is_returned = true;
}

PublisherImpl::Sent* PublisherImpl::find_returned(std::string_view message_id,
                                                  std::string_view routing_key) {
  if (message_id.starts_with(message_id_prefix_)) {
    const auto digits = message_id.substr(message_id_prefix_.size());
    std::uint64_t tag = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), tag);
    const bool is_ours = tag >= first_tag_ && tag < first_tag_ + sent_.size();
    return is_ours ? &sent_[tag - first_tag_] : nullptr;
  }
  for (std::size_t i = first_unsettled_; i < sent_.size(); ++i) {
    Sent& sent = sent_[i];
    const Message& message = messages_[sent.message];
    if (!sent.is_settled && !sent.is_returned && message.properties.message_id == message_id &&
        message.routing_key == routing_key) {
      return &sent;
    }
  }
  return nullptr;
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
