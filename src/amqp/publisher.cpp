#include "amqp/publisher.h"

#include <random>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "amqp/channel.h"
#include "amqp/signal.h"

namespace amqp {
namespace {

// How much may wait to be written before the next message is encoded, so that a blocked socket does
// not keep a whole batch in memory twice.
constexpr std::size_t kUnwrittenMax = std::size_t{256} << 10;

std::string random_prefix() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}-", random(), random(), random());
}

}  // namespace

class PublisherImpl : public Channel, public std::enable_shared_from_this<PublisherImpl> {
 public:
  PublisherImpl(const std::shared_ptr<ConnectionImpl>& connection, PublisherOptions options)
      : Channel(connection, "publisher"),
        options_(std::move(options)),
        progress_(connection->executor()),
        confirms_([this](std::uint64_t token, Settlement settlement) { tell(token, settlement); }) {
    confirms_.set_message_id_prefix(random_prefix());
  }

  Task<Result<void>> start();
  Task<Result<std::vector<Settlement>>> publish(std::span<const Message> messages);
  Task<Result<std::size_t>> send(std::span<const std::uint64_t> tokens, const FindMessage& find);
  void stop_sending() {
    takes_no_more_ = true;
    progress_.notify();
  }
  std::size_t unsettled() const { return confirms_.unsettled(); }

 private:
  // The batch that publish() waits for. If it is cancelled, its tokens belong to nobody.
  struct Batch {
    std::uint64_t first_token = 0;
    std::vector<Settlement> settlements = {};
    std::size_t unsettled = 0;
  };
  struct Waiting;

  void tell(std::uint64_t token, Settlement settlement);
  bool send(std::uint64_t token, const Message& message);
  Task<void> wait_for_progress();
  bool on_method(const method::Incoming& method) override;
  bool on_confirm(std::uint64_t delivery_tag, bool multiple, Settlement settlement);
  void on_content(Content content) override;
  void on_progress() override;
  void on_over() override {
    progress_.notify();
    const auto& failed = failure();
    const bool is_destroyed = failed && failed->fault == Fault::stopping;
    if (options_.on_over && failed && !is_destroyed) options_.on_over(*failed);
  }
  bool may_send() {
    return !connection().blocked() && connection().unwritten_bytes() < kUnwrittenMax;
  }

  const PublisherOptions options_;
  Signal progress_;
  Clock::time_point last_progress_;
  Confirms confirms_;
  Batch batch_;
  bool has_batch_ = false;
  std::uint64_t next_batch_token_ = std::uint64_t{1} << 63U;  // distinct from those of send()
  bool in_confirm_mode_ = false;
  bool takes_no_more_ = false;
};

// While it exists, publish() waits for its batch.
struct PublisherImpl::Waiting {
  Waiting(PublisherImpl& of, std::size_t count) : publisher(of) {
    publisher.batch_ = Batch{.first_token = publisher.next_batch_token_,
                             .settlements = std::vector(count, Settlement::too_large),
                             .unsettled = 0};
    publisher.has_batch_ = true;
    publisher.next_batch_token_ += count;
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() { publisher.has_batch_ = false; }

  PublisherImpl& publisher;
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
  const Waiting waiting(*this, messages.size());
  last_progress_ = Clock::now();
  for (std::size_t i = 0; i < messages.size() && !failure(); ++i) {
    while (!failure() && !may_send()) co_await wait_for_progress();
    if (!failure() && send(batch_.first_token + i, messages[i])) ++batch_.unsettled;
  }
  while (!failure() && batch_.unsettled > 0) co_await wait_for_progress();
  if (const auto& failed = failure()) co_return std::unexpected(*failed);
  co_return std::move(batch_.settlements);
}

Task<Result<std::size_t>> PublisherImpl::send(std::span<const std::uint64_t> tokens,
                                              const FindMessage& find) {
  const auto self = shared_from_this();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    while (!failure() && !takes_no_more_ && !may_send()) co_await progress_.wait();
    if (const auto& failed = failure()) co_return std::unexpected(*failed);
    if (takes_no_more_) co_return i;
    const Message* const message = find(tokens[i]);
    if (message != nullptr && !send(tokens[i], *message)) {
      options_.on_settled(tokens[i], Settlement::too_large);
    }
  }
  co_return tokens.size();
}

// False: the message is too large.
bool PublisherImpl::send(std::uint64_t token, const Message& message) {
  std::string generated;
  std::optional<std::string_view> message_id;
  if (!message.properties.message_id && !message.keeps_properties) {
    generated = confirms_.next_message_id();
    message_id = generated;
  }
  if (!connection().send_message(number(), message, message_id)) return false;
  confirms_.sent(token, message);
  return true;
}

void PublisherImpl::tell(std::uint64_t token, Settlement settlement) {
  const bool is_sent_alone = token < std::uint64_t{1} << 63U;
  if (is_sent_alone) {
    options_.on_settled(token, settlement);
  } else if (has_batch_ && token >= batch_.first_token) {
    batch_.settlements[token - batch_.first_token] = settlement;
    --batch_.unsettled;
  }
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
  if (const std::string* queue = confirms_.first_unsettled(); queue != nullptr) {
    why += fmt::format(", the first for queue {}", *queue);
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

// False: a delivery tag that was never used.
bool PublisherImpl::on_confirm(std::uint64_t delivery_tag, bool multiple, Settlement settlement) {
  if (!confirms_.confirm(delivery_tag, multiple, settlement)) return false;
  last_progress_ = Clock::now();
  if (has_batch_ && batch_.unsettled == 0) progress_.notify();
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
  const auto impl = std::make_shared<PublisherImpl>(connection.impl(), std::move(options));
  auto started = co_await impl->start();
  if (!started) co_return std::unexpected(std::move(started.error()));
  co_return std::make_unique<Publisher>(impl);
}

Task<Result<std::vector<Settlement>>> Publisher::publish(std::span<const Message> messages) {
  return impl_->publish(messages);
}

Task<Result<std::size_t>> Publisher::send(std::span<const std::uint64_t> tokens,
                                          const FindMessage& find) {
  return impl_->send(tokens, find);
}

void Publisher::stop_sending() { impl_->stop_sending(); }

std::size_t Publisher::unsettled() const { return impl_->unsettled(); }

}  // namespace amqp
