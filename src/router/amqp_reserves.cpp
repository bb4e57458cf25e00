#include "router/amqp_reserves.h"

#include <utility>

#include "amqp/browser.h"

namespace inventory::router {
namespace {

static_assert(kTakenAtOnceMax == amqp::kRemovedAtOnceMax);

class AmqpReserve : public Reserve {
 public:
  AmqpReserve(std::shared_ptr<amqp::Connection> connection, std::unique_ptr<amqp::Browser> browser)
      : connection_(std::move(connection)), browser_(std::move(browser)) {}

  Task<amqp::Result<std::optional<amqp::Delivery>>> next() override {
    auto taken = co_await browser_->next();
    if (!taken) co_return std::unexpected(std::move(taken.error()));
    auto& found = *taken;
    if (!found) co_return std::optional<amqp::Delivery>();
    co_return std::optional(std::move(found->delivery));
  }
  amqp::Result<void> remove(std::span<const std::uint64_t> delivery_tags) override {
    return browser_->begin_to_remove(delivery_tags);
  }

 private:
  std::shared_ptr<amqp::Connection> connection_;  // a connection without owner closes itself
  std::unique_ptr<amqp::Browser> browser_;
};

amqp::Error dropped() {
  return {.fault = amqp::Fault::link_lost, .what = "the connection was given up"};
}

}  // namespace

Task<amqp::Result<std::unique_ptr<Reserve>>> AmqpReserves::open(std::string queue) {
  const auto drops = drops_;
  const auto turn = co_await turns_.take();
  if (drops != drops_) co_return std::unexpected(dropped());
  if (!connection_ || !connection_->is_open()) {
    const auto& hosts = options_.endpoint.hosts;
    amqp::ConnectionOptions options;
    options.name = options_.name;
    options.tls = options_.tls;
    auto opened = co_await amqp::Connection::open(
        options_.endpoint, hosts[next_host_++ % hosts.size()], std::move(options));
    if (!opened) co_return std::unexpected(std::move(opened.error()));
    connection_ = std::move(*opened);
    if (drops != drops_) {
      connection_->drop();
      co_return std::unexpected(dropped());
    }
  }
  const auto connection = connection_;
  auto browser = co_await amqp::Browser::open(*connection, {.queue = std::move(queue)});
  if (!browser) co_return std::unexpected(std::move(browser.error()));
  co_return std::make_unique<AmqpReserve>(connection, std::move(*browser));
}

void AmqpReserves::drop() {
  ++drops_;
  if (connection_) connection_->drop();
}

}  // namespace inventory::router
