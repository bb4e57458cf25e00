// bench-baseline: measures what the broker allows: takes requests, publishes persistent replies
// with confirms, acknowledges. It decides nothing and has no database. It has the same connections
// and calls as the service, so that the difference between both is the cost of deciding.
//
// Batches overlap: while one waits for its confirms, `--lanes` - 1 others are published.

#include <cstdint>
#include <cstdio>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "amqp/connection.h"
#include "amqp/consumer.h"
#include "amqp/publisher.h"
#include "or_throw.h"
#include "service/answer.h"

namespace inventory::bench {
namespace {

using amqp::Task;

struct Options {
  std::string url = "amqp://localhost";
  std::string queue = "order_validate";
  amqp::QueueType queue_type = amqp::QueueType::classic;
  std::uint16_t prefetch = 2'000;
  std::size_t batch_max = 500;
  int lanes = 1;
};

class Baseline {
 public:
  Baseline(boost::asio::io_context& context, Options options)
      : options_(std::move(options)), context_(context), pipe_(context, 0) {}

  Task<void> run() {
    const auto endpoint = amqp::parse_url(options_.url);
    if (!endpoint) {
      throw std::runtime_error(endpoint.error());
    }
    const amqp::Host host = endpoint->hosts.front();
    publishing_ = or_throw(co_await amqp::Connection::open(*endpoint, host, {}));
    const auto made = co_await publishing_->ensure_queue(options_.queue, options_.queue_type);
    or_throw(made);
    for (int lane = 0; lane < options_.lanes; ++lane) {
      publishers_.push_back(or_throw(co_await amqp::Publisher::open(*publishing_, {})));
    }
    consuming_ = or_throw(co_await amqp::Connection::open(*endpoint, host, {}));
    consumer_ = or_throw(co_await amqp::Consumer::open(
        *consuming_, {.queue = options_.queue, .prefetch = options_.prefetch}));
    for (const auto& publisher : publishers_) {
      boost::asio::co_spawn(context_, answer(*publisher), rethrow);
    }
    fmt::print(stderr, "ready\n");
    for (;;) {
      auto deliveries = or_throw(co_await consumer_->receive(options_.batch_max));
      unsettled_.push_back({deliveries.back().delivery_tag, false});
      Batch batch{&unsettled_.back(), std::move(deliveries)};
      co_await pipe_.async_send({}, std::move(batch), boost::asio::use_awaitable);
    }
  }

 private:
  struct Unsettled {
    std::uint64_t last_delivery_tag;
    bool settled;
  };
  struct Batch {
    Unsettled* state;  // in the deque, which does not move its elements
    std::vector<amqp::Delivery> deliveries;
  };
  using Pipe = boost::asio::experimental::channel<void(boost::system::error_code, Batch)>;

  Task<void> answer(amqp::Publisher& publisher) {
    for (;;) {
      const Batch batch = co_await pipe_.async_receive(boost::asio::use_awaitable);
      std::vector<amqp::Message> messages;
      messages.reserve(batch.deliveries.size());
      for (const amqp::Delivery& delivery : batch.deliveries) {
        std::string body = R"({"success":true,"message":"Inventory updated","order_data":)";
        body += delivery.body;
        body += '}';
        messages.push_back(
            service::make_reply(delivery, std::move(body), false, {options_.queue, false}).message);
      }
      or_throw(co_await publisher.publish(messages));
      batch.state->settled = true;
      acknowledge();
    }
  }

  // In the order of the deliveries.
  void acknowledge() {
    std::optional<std::uint64_t> up_to;
    while (!unsettled_.empty() && unsettled_.front().settled) {
      up_to = unsettled_.front().last_delivery_tag;
      unsettled_.pop_front();
    }
    if (up_to) {
      consumer_->acknowledge_up_to(*up_to);
    }
  }

  const Options options_;
  boost::asio::io_context& context_;
  Pipe pipe_;
  std::shared_ptr<amqp::Connection> publishing_;
  std::shared_ptr<amqp::Connection> consuming_;
  std::vector<std::unique_ptr<amqp::Publisher>> publishers_;
  std::unique_ptr<amqp::Consumer> consumer_;
  std::deque<Unsettled> unsettled_;
};

int run(int argc, char** argv) {
  Options options;
  CLI::App app("Answers every request without deciding anything, until it is killed.");
  app.option_defaults()->always_capture_default();
  app.add_option("--url", options.url, "AMQP URL");
  app.add_option("--queue", options.queue, "of the requests; declared if missing");
  const std::map<std::string, amqp::QueueType> types{{"classic", amqp::QueueType::classic},
                                                     {"quorum", amqp::QueueType::quorum}};
  app.add_option("--queue-type", options.queue_type, "of that queue")
      ->transform(CLI::CheckedTransformer(types))
      ->default_str("classic");
  app.add_option("--prefetch", options.prefetch, "requests in hand")->check(CLI::PositiveNumber);
  app.add_option("--batch-max", options.batch_max, "requests answered together")
      ->check(CLI::PositiveNumber);
  app.add_option("--lanes", options.lanes, "batches that wait for confirms at a time")
      ->check(CLI::Range(1, 16));
  CLI11_PARSE(app, argc, argv);
  boost::asio::io_context context{1};
  Baseline baseline(context, options);
  boost::asio::co_spawn(context, baseline.run(), rethrow);
  context.run();
  return 0;
}

}  // namespace
}  // namespace inventory::bench

int main(int argc, char** argv) {
  try {
    return inventory::bench::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench-baseline: {}\n", error.what());
    return 1;
  }
}
