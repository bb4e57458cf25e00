#include "router/amqp_reserves.h"

#include <exception>
#include <map>
#include <utility>

#include <boost/asio/co_spawn.hpp>

#include "amqp/browser.h"
#include "contract/queues.h"

namespace inventory::router {

static_assert(kTakenAtOnceMax == amqp::kRemovedAtOnceMax);

struct AmqpReserves::Shared {
  Shared(boost::asio::any_io_executor on, AmqpReservesOptions of)
      : executor(std::move(on)), options(std::move(of)), turns(executor) {}

  boost::asio::any_io_executor executor;
  AmqpReservesOptions options;
  Turns turns;
  std::shared_ptr<amqp::Connection> connection;
  std::size_t next_host = 0;
  std::size_t drops = 0;                         // what began before the last one fails
  std::uint64_t last_lock = 0;                   // a number for each
  std::map<std::string, std::uint64_t> locks{};  // of this connection, by queue
};

namespace {

using SharedPointer = std::shared_ptr<AmqpReserves::Shared>;
using ConnectionPointer = std::shared_ptr<amqp::Connection>;

amqp::Error dropped() {
  return {.fault = amqp::Fault::link_lost, .what = "the connection was given up"};
}

// A classic queue whose node is down is "not found" as well, but its messages come back with it.
amqp::Error as_met(amqp::Error error) {
  if (error.reply_code == kNotFound && !error.what.contains("no queue")) error.reply_code = 0;
  return error;
}

Task<amqp::Result<ConnectionPointer>> connect(SharedPointer shared, std::size_t drops) {
  const auto turn = co_await shared->turns.take();
  if (drops != shared->drops) co_return std::unexpected(dropped());
  if (shared->connection && shared->connection->is_open()) co_return shared->connection;
  shared->locks.clear();
  const auto& hosts = shared->options.endpoint.hosts;
  amqp::ConnectionOptions options;
  options.name = shared->options.name;
  options.tls = shared->options.tls;
  auto opened = co_await amqp::Connection::open(
      shared->options.endpoint, hosts[shared->next_host++ % hosts.size()], std::move(options));
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  shared->connection = std::move(*opened);
  if (drops != shared->drops) {
    shared->connection->drop();
    co_return std::unexpected(dropped());
  }
  co_return shared->connection;
}

// Lets other routers read the queue, unless it was opened again since.
Task<void> unlock(SharedPointer shared, ConnectionPointer connection, std::string queue,
                  std::uint64_t lock) {
  const auto turn = co_await shared->turns.take();
  const auto held = shared->locks.find(queue);
  if (connection != shared->connection || held == shared->locks.end() || held->second != lock) {
    co_return;
  }
  shared->locks.erase(held);
  const auto deleted = co_await connection->delete_queue(contract::reserve_lock(queue));
  if (!deleted) connection->drop();  // the lock ends with it
}

class AmqpReserve : public Reserve {
 public:
  AmqpReserve(SharedPointer shared, ConnectionPointer connection, std::string queue,
              std::uint64_t lock)
      : shared_(std::move(shared)),
        connection_(std::move(connection)),
        queue_(std::move(queue)),
        lock_(lock) {}
  ~AmqpReserve() override {
    browser_.reset();  // puts back what was taken
    if (!connection_->is_open()) return;
    boost::asio::co_spawn(shared_->executor, unlock(shared_, connection_, queue_, lock_),
                          [](const std::exception_ptr& error) {
                            if (error) std::rethrow_exception(error);  // a bug
                          });
  }

  Task<amqp::Result<void>> open() {
    auto browser = co_await amqp::Browser::open(*connection_, {.queue = queue_});
    if (!browser) co_return std::unexpected(std::move(browser.error()));
    browser_ = std::move(*browser);
    co_return amqp::Result<void>();
  }
  Task<amqp::Result<std::optional<amqp::Delivery>>> next() override {
    auto taken = co_await browser_->next();
    if (!taken) co_return std::unexpected(as_met(std::move(taken.error())));
    auto& found = *taken;
    if (!found) co_return std::optional<amqp::Delivery>();
    co_return std::optional(std::move(found->delivery));
  }
  amqp::Result<void> remove(std::span<const std::uint64_t> delivery_tags) override {
    return browser_->begin_to_remove(delivery_tags);
  }

 private:
  SharedPointer shared_;
  ConnectionPointer connection_;  // a connection without owner closes itself
  std::string queue_;
  std::uint64_t lock_;
  std::unique_ptr<amqp::Browser> browser_;
};

}  // namespace

AmqpReserves::AmqpReserves(const boost::asio::any_io_executor& executor,
                           AmqpReservesOptions options)
    : shared_(std::make_shared<Shared>(executor, std::move(options))) {}

Task<amqp::Result<std::unique_ptr<Reserve>>> AmqpReserves::open(std::string queue) {
  const auto shared = shared_;
  const auto connected = co_await connect(shared, shared->drops);
  if (!connected) co_return std::unexpected(connected.error());
  const ConnectionPointer& connection = *connected;
  // Most queues are never needed. Then nobody reads them, and none is locked. One that does not
  // answer keeps nobody else from opening another: it is not the caller's turn yet.
  if (const auto exists = co_await connection->count(queue); !exists) {
    co_return std::unexpected(as_met(exists.error()));
  }
  const auto turn = co_await shared->turns.take();
  if (connection != shared->connection || !connection->is_open()) {
    co_return std::unexpected(dropped());
  }
  const auto locked = co_await connection->declare_exclusive_queue(contract::reserve_lock(queue));
  if (!locked) co_return std::unexpected(locked.error());
  const std::uint64_t lock = ++shared->last_lock;
  shared->locks[queue] = lock;
  auto reserve = std::make_unique<AmqpReserve>(shared, connection, std::move(queue), lock);
  if (const auto opened = co_await reserve->open(); !opened) {
    co_return std::unexpected(opened.error());
  }
  co_return reserve;
}

Task<amqp::Result<std::uint32_t>> AmqpReserves::consumers(std::string queue) {
  const auto shared = shared_;
  const auto connected = co_await connect(shared, shared->drops);
  if (!connected) co_return std::unexpected(connected.error());
  const auto counted = co_await (*connected)->count(std::move(queue));
  if (!counted) co_return std::unexpected(counted.error());
  co_return counted->consumers;
}

void AmqpReserves::drop() {
  ++shared_->drops;
  if (shared_->connection) shared_->connection->drop();
}

}  // namespace inventory::router
