#include "service/amqp_broker.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "amqp/consumer.h"
#include "amqp/publisher.h"

namespace inventory::service {
namespace {

Task<amqp::Result<std::shared_ptr<amqp::Connection>>> connect(
    AmqpBrokerOptions options, amqp::Host host, std::string_view purpose,
    std::function<void(const std::optional<std::string>&)> on_blocked) {
  amqp::ConnectionOptions connection;
  connection.name = fmt::format("inventory-service {} {}", purpose, options.request_queue);
  connection.tls = options.tls;
  connection.on_blocked = std::move(on_blocked);
  co_return co_await amqp::Connection::open(options.endpoint, host, std::move(connection));
}

// Adds what to do if the broker's user lacks a right.
amqp::Error with_advice(amqp::Error error, std::string_view advice) {
  constexpr std::uint16_t kAccessRefused = 403;
  if (error.reply_code == kAccessRefused && !advice.empty()) {
    error.what += fmt::format("; {}", advice);
  }
  return error;
}

class AmqpOutlet;

// The outlets of a shared connection, which get all its notices.
using Sharing = std::set<AmqpOutlet*>;

class AmqpOutlet : public Outlet {
 public:
  // sharing: null if it has the connection to itself.
  AmqpOutlet(std::shared_ptr<amqp::Connection> connection, amqp::QueueType queue_type,
             OutletEvents events, std::shared_ptr<Sharing> sharing)
      : connection_(std::move(connection)),
        queue_type_(queue_type),
        events_(std::move(events)),
        sharing_(std::move(sharing)) {
    if (sharing_) sharing_->insert(this);
  }
  AmqpOutlet(const AmqpOutlet&) = delete;
  AmqpOutlet& operator=(const AmqpOutlet&) = delete;
  ~AmqpOutlet() override {
    if (sharing_) sharing_->erase(this);
  }

  void tell_blocked(const std::optional<std::string>& reason) { events_.on_blocked(reason); }

  Task<amqp::Result<void>> open() {
    auto publisher = co_await amqp::Publisher::open(
        *connection_, {.on_settled =
                           [this](std::uint64_t token, amqp::Settlement settlement) {
                             was_rejected_ |= settlement == amqp::Settlement::rejected;
                             events_.on_settled(token, settlement);
                           },
                       .on_over = [this](const amqp::Error& error) { events_.on_lost(error); }});
    if (!publisher) co_return std::unexpected(std::move(publisher.error()));
    was_rejected_ = false;
    publishers_.push_back(std::move(*publisher));
    co_return amqp::Result<void>();
  }

  // If a channel was opened while a quorum queue's leader was down, RabbitMQ 3.10 rejects all that
  // it publishes to the queue for as long as that node is down: so open another channel after a
  // rejection. But not while the broker takes nothing from this connection: it would not answer.
  Task<amqp::Result<std::size_t>> send(std::span<const std::uint64_t> tokens,
                                       const amqp::FindMessage& find) override {
    if (was_rejected_ && !connection_->blocked()) {
      auto opened = co_await open();
      if (!opened) co_return std::unexpected(std::move(opened.error()));
      std::erase_if(publishers_, [this](const auto& publisher) {
        return publisher != publishers_.back() && publisher->unsettled() == 0;
      });
    }
    co_return co_await publishers_.back()->send(tokens, find);
  }
  void stop_sending() override {
    for (const auto& publisher : publishers_) publisher->stop_sending();
  }
  Task<amqp::Result<void>> ensure_queue(std::string name) override {
    return connection_->ensure_queue(std::move(name), queue_type_);
  }
  Task<amqp::Result<void>> ensure_exchange(std::string name) override {
    return connection_->ensure_topic_exchange(std::move(name));
  }
  Task<void> close() override { return connection_->close(); }

 private:
  std::shared_ptr<amqp::Connection>
      connection_;  // kept alive by any of its outlets, or by the link
  amqp::QueueType queue_type_;
  OutletEvents events_;
  std::shared_ptr<Sharing> sharing_;
  // The last one sends, the others wait for answers. Destroyed before the connection, so that they
  // do not report its end.
  std::vector<std::unique_ptr<amqp::Publisher>> publishers_;
  bool was_rejected_ = false;
};

class AmqpLink : public Link {
 public:
  AmqpLink(AmqpBrokerOptions options, amqp::Host host, std::shared_ptr<amqp::Connection> consuming)
      : options_(std::move(options)), host_(std::move(host)), consuming_(std::move(consuming)) {}

  Task<amqp::Result<std::unique_ptr<Outlet>>> open_outlet(Connection sort,
                                                          OutletEvents events) override {
    std::shared_ptr<amqp::Connection> connection;
    std::shared_ptr<Sharing> sharing;
    if (sort == Connection::shared && shared_ && shared_->is_open()) {
      connection = shared_;
      sharing = sharing_;
    } else {
      auto on_blocked = events.on_blocked;
      if (sort == Connection::shared) {
        sharing = std::make_shared<Sharing>();
        on_blocked = [sharing](const std::optional<std::string>& reason) {
          for (AmqpOutlet* const outlet : *sharing) outlet->tell_blocked(reason);
        };
      }
      auto opened = co_await connect(options_, host_, "publishes", std::move(on_blocked));
      if (!opened) co_return std::unexpected(std::move(opened.error()));
      connection = std::move(*opened);
      if (sort == Connection::shared) {
        shared_ = connection;
        sharing_ = sharing;
      }
    }
    auto outlet = std::make_unique<AmqpOutlet>(connection, options_.queue_type, std::move(events),
                                               std::move(sharing));
    if (auto opened = co_await outlet->open(); !opened) {
      // Channels that the broker has stopped serving stay in use: later ones get another
      // connection.
      if (connection == shared_) shared_.reset();
      co_return std::unexpected(std::move(opened.error()));
    }
    if (const auto reason = connection->blocked(); reason && sort == Connection::shared) {
      outlet->tell_blocked(reason);  // the others were told before
    }
    co_return outlet;
  }

  Task<amqp::Result<void>> start_receiving() override {
    auto consumer = co_await amqp::Consumer::open(
        *consuming_, {.queue = options_.request_queue, .prefetch = options_.prefetch});
    if (!consumer)
      co_return std::unexpected(with_advice(std::move(consumer.error()), options_.without_rights));
    consumer_ = std::move(*consumer);
    if (is_stopped_) consumer_->stop();
    co_return amqp::Result<void>();
  }

  Task<amqp::Result<std::vector<amqp::Delivery>>> receive(std::size_t count) override {
    auto deliveries = co_await consumer_->receive(count);
    if (deliveries && options_.delivery_limit != nullptr) {
      options_.delivery_limit->delivered(*deliveries);
    }
    co_return deliveries;
  }
  std::size_t waiting() const override { return consumer_ ? consumer_->waiting() : 0; }
  void acknowledge_up_to(std::uint64_t delivery_tag) override {
    consumer_->acknowledge_up_to(delivery_tag);
  }
  void acknowledge(std::uint64_t delivery_tag) override { consumer_->acknowledge(delivery_tag); }
  void stop_receiving() override {
    is_stopped_ = true;
    if (consumer_) consumer_->stop();
  }
  void abandon() override { consuming_->drop(); }
  Task<void> close() override { return consuming_->close(); }

 private:
  AmqpBrokerOptions options_;
  amqp::Host host_;
  std::shared_ptr<amqp::Connection> consuming_;
  std::shared_ptr<amqp::Connection> shared_;
  std::shared_ptr<Sharing> sharing_;  // of it
  std::unique_ptr<amqp::Consumer> consumer_;
  bool is_stopped_ = false;
};

}  // namespace

Task<amqp::Result<std::unique_ptr<Link>>> AmqpBroker::open() {
  const amqp::Host host = options_.endpoint.hosts[next_host_++ % options_.endpoint.hosts.size()];
  auto consuming = co_await connect(options_, host, "consumes", nullptr);
  if (!consuming) co_return std::unexpected(std::move(consuming.error()));
  std::vector<std::string> queues = options_.other_queues;
  queues.push_back(options_.request_queue);
  for (const std::string& queue : queues) {
    if (auto there = co_await (*consuming)->ensure_queue(queue, options_.queue_type); !there) {
      co_return std::unexpected(with_advice(std::move(there.error()), options_.without_rights));
    }
  }
  if (!options_.events_exchange.empty()) {
    auto there = co_await (*consuming)->ensure_topic_exchange(options_.events_exchange);
    if (!there) {
      co_return std::unexpected(with_advice(
          std::move(there.error()),
          fmt::format("grant the broker's user the rights on the exchange {}, or start with "
                      "--events-exchange none",
                      options_.events_exchange)));
    }
  }
  if (options_.delivery_limit != nullptr) {
    const auto terms =
        co_await (*consuming)->examine_queue(options_.request_queue, options_.queue_type);
    if (!terms) co_return std::unexpected(terms.error());
    options_.delivery_limit->examined(*terms);
  }
  co_return std::make_unique<AmqpLink>(options_, host, std::move(*consuming));
}

}  // namespace inventory::service
