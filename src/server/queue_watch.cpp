#include "server/queue_watch.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <spdlog/spdlog.h>

namespace inventory::server {
namespace {

using namespace boost::asio::experimental::awaitable_operators;

constexpr std::chrono::milliseconds kFarewellMax{1'000};

class AmqpQueueCounter : public QueueCounter {
 public:
  explicit AmqpQueueCounter(std::shared_ptr<amqp::Connection> connection)
      : connection_(std::move(connection)) {}

  amqp::Task<amqp::Result<amqp::QueueCount>> count(std::string queue) override {
    return connection_->count(std::move(queue));
  }
  amqp::Task<void> close() override { return connection_->close(); }

 private:
  std::shared_ptr<amqp::Connection> connection_;
};

amqp::Task<amqp::Result<std::unique_ptr<QueueCounter>>> open_counter(amqp::Endpoint endpoint,
                                                                     amqp::TlsOptions tls,
                                                                     std::size_t host) {
  amqp::ConnectionOptions options;
  options.name = "inventory-service counts for its console";
  options.tls = std::move(tls);
  auto connection =
      co_await amqp::Connection::open(endpoint, endpoint.hosts[host], std::move(options));
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  co_return std::make_unique<AmqpQueueCounter>(std::move(*connection));
}

}  // namespace

OpenQueueCounter amqp_queue_counter(amqp::Endpoint endpoint, amqp::TlsOptions tls) {
  return [endpoint = std::move(endpoint), tls = std::move(tls), tries = std::size_t{0}]() mutable {
    return open_counter(endpoint, tls, tries++ % endpoint.hosts.size());
  };
}

QueueWatch::QueueWatch(const boost::asio::any_io_executor& executor, OpenQueueCounter open,
                       service::Clock& clock, std::vector<std::string> queues)
    : open_(std::move(open)),
      clock_(clock),
      pause_(executor, clock),
      looked_(executor, clock),
      queues_(std::move(queues)) {}

boost::asio::awaitable<void> QueueWatch::run() {
  while (!pause_.is_stopping()) {
    if (is_watched()) {
      co_await (count_all() || pause_.stopped());
      co_await pause_.wait(kInterval);
    } else if (counter_) {
      co_await end();
    } else {
      co_await looked_.wait(std::nullopt);
    }
  }
  co_await end();
}

void QueueWatch::stop() {
  pause_.stop();
  looked_.notify();
}

void QueueWatch::look() {
  last_look_ = clock_.steady_now();
  looked_.notify();
}

std::optional<amqp::QueueCount> QueueWatch::count_of(std::string_view queue) const {
  const auto found = counts_.find(queue);
  if (found == counts_.end() || clock_.steady_now() - found->second.at > kCountMax) return {};
  return found->second.count;
}

bool QueueWatch::is_watched() const {
  return last_look_ && clock_.steady_now() - *last_look_ <= kWatchedFor;
}

boost::asio::awaitable<void> QueueWatch::count_all() {
  if (!counter_) {
    auto opened = co_await open_();
    if (!opened) {
      spdlog::debug("queues cannot be counted: {}", opened.error().what);
      co_return;
    }
    counter_ = std::move(*opened);
  }
  for (auto queue = queues_.begin(); queue != queues_.end(); ++queue) {
    const auto count = co_await counter_->count(*queue);
    if (count) {
      counts_.insert_or_assign(*queue, Counted{*count, clock_.steady_now()});
      continue;
    }
    spdlog::debug("queue {} cannot be counted: {}", *queue, count.error().what);
    counts_.erase(*queue);
    if (count.error().fault == amqp::Fault::refused) continue;
    counter_.reset();
    std::rotate(queues_.begin(), queue + 1, queues_.end());  // count the others first next time
    co_return;
  }
}

boost::asio::awaitable<void> QueueWatch::end() {
  if (!counter_) co_return;
  co_await (counter_->close() || clock_.sleep(kFarewellMax));
  counter_.reset();
}

}  // namespace inventory::server
