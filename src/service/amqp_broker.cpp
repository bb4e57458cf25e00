#include "service/amqp_broker.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "amqp/consumer.h"
#include "amqp/publisher.h"

namespace inventory::service {
namespace {

class AmqpLink : public Link {
 public:
  AmqpLink(std::shared_ptr<amqp::Connection> consuming, std::unique_ptr<amqp::Consumer> consumer,
           std::shared_ptr<amqp::Connection> publishing, std::unique_ptr<amqp::Publisher> publisher,
           DeliveryLimit* delivery_limit)
      : consuming_(std::move(consuming)),
        consumer_(std::move(consumer)),
        publishing_(std::move(publishing)),
        publisher_(std::move(publisher)),
        delivery_limit_(delivery_limit) {}

  Task<amqp::Result<std::vector<amqp::Delivery>>> receive(std::size_t count) override {
    auto deliveries = co_await consumer_->receive(count);
    if (deliveries && delivery_limit_ != nullptr) delivery_limit_->delivered(*deliveries);
    co_return deliveries;
  }
  // RabbitMQ 3.10 rejects what is for a quorum queue on a channel that was opened while the queue's
  // leader was down, for as long as that node is: so after a rejection the channel is replaced. Not
  // while the broker takes nothing from this connection: it would not answer.
  Task<amqp::Result<std::vector<amqp::Settlement>>> publish(
      std::span<const amqp::Message> messages) override {
    if (was_rejected_ && !publishing_->blocked()) {
      auto publisher = co_await amqp::Publisher::open(*publishing_, {});
      if (!publisher) {
        co_return std::unexpected(std::move(publisher.error()));
      }
      publisher_ = std::move(*publisher);
    }
    auto settlements = co_await publisher_->publish(messages);
    was_rejected_ = settlements && std::ranges::count(*settlements, amqp::Settlement::rejected) > 0;
    co_return settlements;
  }
  void acknowledge_up_to(std::uint64_t delivery_tag) override {
    consumer_->acknowledge_up_to(delivery_tag);
  }
  void stop_receiving() override { consumer_->stop(); }
  void abandon() override {
    publishing_->drop();
    consuming_->drop();
  }
  Task<void> close() override {
    co_await publishing_->close();
    co_await consuming_->close();
  }

 private:
  std::shared_ptr<amqp::Connection> consuming_;
  std::unique_ptr<amqp::Consumer> consumer_;
  std::shared_ptr<amqp::Connection> publishing_;
  std::unique_ptr<amqp::Publisher> publisher_;
  DeliveryLimit* delivery_limit_;
  bool was_rejected_ = false;
};

}  // namespace

Task<amqp::Result<std::unique_ptr<Link>>> AmqpBroker::open(OnBlocked on_blocked) {
  const amqp::Host host = options_.endpoint.hosts[next_host_++ % options_.endpoint.hosts.size()];
  auto publishing = co_await connect(host, "publishes", std::move(on_blocked));
  if (!publishing) {
    co_return std::unexpected(std::move(publishing.error()));
  }
  std::vector<std::string> queues = options_.other_queues;
  queues.push_back(options_.request_queue);
  for (const std::string& queue : queues) {
    if (auto there = co_await (*publishing)->ensure_queue(queue, options_.queue_type); !there) {
      co_return std::unexpected(std::move(there.error()));
    }
  }
  if (options_.delivery_limit != nullptr) {
    const auto terms =
        co_await (*publishing)->examine_queue(options_.request_queue, options_.queue_type);
    if (!terms) {
      co_return std::unexpected(terms.error());
    }
    options_.delivery_limit->examined(*terms);
  }
  auto publisher = co_await amqp::Publisher::open(**publishing, {});
  if (!publisher) {
    co_return std::unexpected(std::move(publisher.error()));
  }
  auto consuming = co_await connect(host, "consumes", nullptr);
  if (!consuming) {
    co_return std::unexpected(std::move(consuming.error()));
  }
  auto consumer = co_await amqp::Consumer::open(
      **consuming, {.queue = options_.request_queue, .prefetch = options_.prefetch});
  if (!consumer) {
    co_return std::unexpected(std::move(consumer.error()));
  }
  co_return std::make_unique<AmqpLink>(std::move(*consuming), std::move(*consumer),
                                       std::move(*publishing), std::move(*publisher),
                                       options_.delivery_limit);
}

Task<amqp::Result<std::shared_ptr<amqp::Connection>>> AmqpBroker::connect(const amqp::Host& host,
                                                                          std::string purpose,
                                                                          OnBlocked on_blocked) {
  amqp::ConnectionOptions options;
  options.name = fmt::format("inventory-service {} {}", purpose, options_.request_queue);
  options.tls = options_.tls;
  options.on_blocked = std::move(on_blocked);
  co_return co_await amqp::Connection::open(options_.endpoint, host, std::move(options));
}

}  // namespace inventory::service
