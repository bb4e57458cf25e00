// bench-load: sends orders to a service and measures its answers; prints one JSON object.
//
//   bench-load closed --window 4000 --seconds 10    an order for each answer, 4000 unanswered
//   bench-load paced --rate 200 --seconds 10        200 a second, independent of the answers
//   bench-load fill --count 1000000                 only sends
//   bench-load drain --count 1000000                only takes the answers to what `fill` sent
//
// A paced load counts each latency from the time at which the order should have been sent, and
// every order that was due in the measured time, so that no stall is hidden, not even its own.
// Exits with 1 if nothing moves for a minute.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "amqp/channel.h"
#include "amqp/connection.h"
#include "amqp/consumer.h"
#include "amqp/publisher.h"
#include "amqp/signal.h"
#include "or_throw.h"
#include "order_stream.h"
#include "report.h"

namespace inventory::bench {
namespace {

using amqp::Clock;
using amqp::Task;
using std::chrono::duration;
using std::chrono::duration_cast;

constexpr std::size_t kUnwrittenMax = std::size_t{256} << 10U;
constexpr std::size_t kInFlightMax = std::size_t{1} << 20U;
constexpr std::size_t kFillBatch = 1'000;
constexpr std::uint16_t kPrefetch = 20'000;
constexpr std::chrono::seconds kStalled{60};  // without an order sent or answered

struct Options {
  std::string url = "amqp://localhost";
  std::string queue = "order_validate";
  std::string reply_queue = "bench.replies";
  amqp::QueueType queue_type = amqp::QueueType::classic;
  std::size_t window = 4'000;
  double rate = 200;
  double seconds = 10;
  double warmup = 2;
  std::uint64_t count = 0;
  StreamOptions stream;
};

// Sender: a channel that publishes without confirms, because a lost order shows by its missing
// answer.
class Sender : public amqp::Channel {
 public:
  explicit Sender(const amqp::Connection& connection) : Channel(connection.impl(), "sender") {}

  void send(const amqp::Message& message) { connection().send_message(number(), message, {}); }
  bool may_send() { return !failure() && connection().unwritten_bytes() < kUnwrittenMax; }
  amqp::Signal& written() { return written_; }

 private:
  void on_progress() override { written_.notify(); }
  void on_over() override { written_.notify(); }

  amqp::Signal written_{connection().executor()};
};

class Load {
 public:
  Load(boost::asio::io_context& context, Options options)
      : options_(std::move(options)), stream_(options_.stream), context_(context) {}

  Task<void> closed() {
    co_await open();
    co_await begin_sending();
    Sender& sender = *sender_;
    while (Clock::now() < end_ && !sender.failure()) {
      while (sender.may_send() && report_.sent - report_.answered < options_.window) {
        send(Clock::now());
      }
      co_await sender.written().wait_until(end_);
    }
    co_await end_sending();
  }

  Task<void> paced() {
    counts_when_due_ = true;
    co_await open();
    co_await begin_sending();
    Sender& sender = *sender_;
    boost::asio::steady_timer timer(context_);
    const duration<double> period(1 / options_.rate);
    for (std::uint64_t i = 0;; ++i) {
      const auto intended =
          began_ + duration_cast<Clock::duration>(period * static_cast<double>(i));
      if (intended >= end_ || sender.failure()) {
        break;
      }
      if (Clock::now() < intended) {
        timer.expires_at(intended);
        co_await timer.async_wait(boost::asio::use_awaitable);
      }
      while (!sender.may_send() && !sender.failure()) {
        co_await sender.written().wait();
      }
      send(intended);
    }
    co_await end_sending();
  }

  Task<void> fill() {
    co_await open();
    auto publisher = or_throw(co_await amqp::Publisher::open(*connection_, {}));
    began_ = Clock::now();
    std::vector<amqp::Message> messages;
    while (report_.sent < options_.count) {
      messages.clear();
      while (messages.size() < kFillBatch && report_.sent < options_.count) {
        messages.push_back(make_order());
      }
      for (const auto settlement : or_throw(co_await publisher->publish(messages))) {
        if (settlement != amqp::Settlement::confirmed) {
          throw std::runtime_error("the broker does not take the orders");
        }
      }
      show_progress(static_cast<double>(report_.sent), static_cast<double>(options_.count));
    }
    measure_until_now(report_.sent);
    co_await connection_->close();
  }

  Task<void> drain() {
    co_await open();
    auto consumer = or_throw(co_await open_consumer());
    std::vector<bool> seen(options_.count);
    began_ = Clock::now();
    report_.sent = options_.count;
    while (report_.answered < options_.count) {
      auto replies = or_throw(co_await consumer->receive(kPrefetch));
      for (const amqp::Delivery& reply : replies) {
        const std::uint64_t number = number_of(reply);
        if (number >= seen.size() || seen[number]) {
          ++report_.repeated;
          continue;
        }
        seen[number] = true;
        ++report_.answered;
        count_if_accepted(reply);
      }
      consumer->acknowledge_up_to(replies.back().delivery_tag);
      show_progress(static_cast<double>(report_.answered), static_cast<double>(options_.count));
    }
    measure_until_now(report_.answered);
    co_await connection_->close();
  }

  // Throws if nothing has moved for kStalled.
  Task<void> watch() {
    boost::asio::steady_timer timer(context_);
    for (;;) {
      const auto before = moved();
      timer.expires_after(kStalled);
      co_await timer.async_wait(boost::asio::use_awaitable);
      if (moved() == before) {
        throw std::runtime_error(
            fmt::format("nothing moves any more: {} orders sent to {}, {} answered", report_.sent,
                        options_.queue, report_.answered));
      }
    }
  }

  const Report& report() const { return report_; }

 private:
  struct Sent {
    std::uint64_t number = 0;
    Clock::time_point at;
    bool answered = true;
  };

  std::uint64_t moved() const { return report_.sent + report_.answered + report_.repeated; }

  Task<void> open() {
    const auto endpoint = amqp::parse_url(options_.url);
    if (!endpoint) {
      throw std::runtime_error(endpoint.error());
    }
    amqp::ConnectionOptions connection_options;
    connection_options.name = "bench-load";
    connection_ = or_throw(co_await amqp::Connection::open(*endpoint, endpoint->hosts.front(),
                                                           std::move(connection_options)));
    const auto made = co_await connection_->ensure_queue(options_.reply_queue, options_.queue_type);
    or_throw(made);
  }

  Task<amqp::Result<std::unique_ptr<amqp::Consumer>>> open_consumer() {
    return amqp::Consumer::open(*connection_,
                                {.queue = options_.reply_queue, .prefetch = kPrefetch});
  }

  Task<void> begin_sending() {
    sender_ = std::make_unique<Sender>(*connection_);
    or_throw(co_await sender_->open());
    consumer_ = or_throw(co_await open_consumer());
    began_ = Clock::now();
    boost::asio::co_spawn(context_, receive(), rethrow);
    measured_from_ = began_ + duration_cast<Clock::duration>(duration<double>(options_.warmup));
    end_ = measured_from_ + duration_cast<Clock::duration>(duration<double>(options_.seconds));
    report_.measured = end_ - measured_from_;
  }

  Task<void> end_sending() {
    while (report_.answered < report_.sent && !sender_->failure()) {
      co_await sender_->written().wait();
    }
    if (const auto& failure = sender_->failure()) {
      throw std::runtime_error(failure->what);
    }
    consumer_->stop();
    co_await connection_->close();
  }

  amqp::Message make_order() {
    amqp::Message message;
    message.routing_key = options_.queue;
    message.mandatory = false;
    message.keeps_properties = true;
    message.properties.content_type = "application/json";
    message.properties.delivery_mode = 2;
    message.properties.reply_to = options_.reply_queue;
    message.properties.correlation_id = fmt::to_string(report_.sent++);
    message.body = stream_.next();
    return message;
  }

  void send(Clock::time_point at) {
    Sent& slot = in_flight_[report_.sent % kInFlightMax];
    if (!slot.answered) {
      throw std::runtime_error("a million orders wait for their answers");
    }
    slot = {.number = report_.sent, .at = at, .answered = false};
    sender_->send(make_order());
  }

  Task<void> receive() {
    for (;;) {
      auto replies = co_await consumer_->receive(kPrefetch);
      if (!replies) {
        co_return;
      }
      const auto now = Clock::now();
      for (const amqp::Delivery& reply : *replies) {
        take(reply, now);
      }
      consumer_->acknowledge_up_to(replies->back().delivery_tag);
      sender_->written().notify();
      show_progress(duration<double>(now - began_).count(), options_.warmup + options_.seconds);
    }
  }

  void take(const amqp::Delivery& reply, Clock::time_point now) {
    const std::uint64_t number = number_of(reply);
    Sent& sent = in_flight_[number % kInFlightMax];
    if (sent.number != number || sent.answered) {
      ++report_.repeated;
      return;
    }
    sent.answered = true;
    ++report_.answered;
    count_if_accepted(reply);
    const auto counts_at = counts_when_due_ ? sent.at : now;
    if (counts_at < measured_from_ || counts_at >= end_) {
      return;
    }
    ++report_.in_time;
    report_.latencies_us.push_back(static_cast<std::uint32_t>(
        duration_cast<std::chrono::microseconds>(now - sent.at).count()));
  }

  static std::uint64_t number_of(const amqp::Delivery& reply) {
    const std::string& text = reply.properties.correlation_id.value_or("");
    std::uint64_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec != std::errc()) {
      throw std::runtime_error("an answer without a number of ours: " + text);
    }
    return number;
  }

  void count_if_accepted(const amqp::Delivery& reply) {
    report_.accepted += reply.body.contains(R"("success":true)") ? 1 : 0;
  }

  void measure_until_now(std::uint64_t count) {
    report_.in_time = count;
    report_.measured = Clock::now() - began_;
  }

  void show_progress(double done, double total) {
    static const bool is_terminal = isatty(STDERR_FILENO) == 1;
    const auto now = Clock::now();
    if (!is_terminal || now < next_progress_) {
      return;
    }
    next_progress_ = now + std::chrono::milliseconds(200);
    const double elapsed = duration<double>(now - began_).count();
    // `fill` does not wait for answers.
    const auto count = static_cast<double>(report_.answered > 0 ? report_.answered : report_.sent);
    fmt::print(stderr, "\r{}\033[K",
               progress_line(done, total, options_.count > 0 ? "orders" : "s", count / elapsed));
  }

  const Options options_;
  OrderStream stream_;
  boost::asio::io_context& context_;
  std::shared_ptr<amqp::Connection> connection_;
  std::unique_ptr<Sender> sender_;
  std::unique_ptr<amqp::Consumer> consumer_;
  std::vector<Sent> in_flight_ = std::vector<Sent>(kInFlightMax);  // a ring, by number
  Clock::time_point began_;
  Clock::time_point measured_from_;
  Clock::time_point end_;
  Clock::time_point next_progress_;
  bool counts_when_due_ = false;  // counts orders due in the measured time, else those answered
  Report report_;
};

int run(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Sends orders and measures the answers. They are real orders, for the products 1 to "
      "--products, and the queue of the answers stays.");
  app.option_defaults()->always_capture_default();
  app.fallthrough();
  app.require_subcommand(1);
  app.add_option("--url", options.url, "AMQP URL");
  app.add_option("--queue", options.queue, "of the orders");
  app.add_option("--reply-queue", options.reply_queue, "of the answers; declared if missing");
  const std::map<std::string, amqp::QueueType> types{{"classic", amqp::QueueType::classic},
                                                     {"quorum", amqp::QueueType::quorum}};
  app.add_option("--queue-type", options.queue_type, "of the answers' queue")
      ->transform(CLI::CheckedTransformer(types))
      ->default_str("classic");
  const CLI::Range seconds(0.0, 86'400.0);
  app.add_option("--seconds", options.seconds, "how long it is measured")->check(seconds);
  app.add_option("--warmup", options.warmup, "seconds before that")->check(seconds);
  app.add_option("--products", options.stream.products, "ids 1 to this")
      ->check(CLI::PositiveNumber);
  app.add_option("--partitions", options.stream.partitions, "into which products are divided")
      ->check(CLI::Range(1, 1024));
  app.add_option("--partition", options.stream.partition, "whose products are asked for")
      ->check(CLI::Range(0, 1023));
  const std::map<std::string, Skew> skews{{"uniform", Skew::uniform}, {"zipf", Skew::zipf}};
  app.add_option("--skew", options.stream.skew, "which products are asked for")
      ->transform(CLI::CheckedTransformer(skews))
      ->default_str("uniform");
  const std::map<std::string, Kind> kinds{{"order", Kind::order}, {"adjustment", Kind::adjustment}};
  app.add_option("--kind", options.stream.kind, "what is sent")
      ->transform(CLI::CheckedTransformer(kinds))
      ->default_str("order");
  app.add_option("--items", options.stream.items, "of an order")->check(CLI::Range(1, 100));
  app.add_option("--hold-seconds", options.stream.hold_seconds, "of an order; 0: it holds nothing")
      ->check(CLI::Range(0, 2'592'000));
  app.add_option("--duplicates", options.stream.duplicates, "share of orders that repeat another")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--seed", options.stream.seed,
                 "of ids and products; the same again repeats orders")
      ->default_str("random");
  auto* closed = app.add_subcommand("closed", "as many orders as are answered");
  closed->add_option("--window", options.window, "orders that may wait for their answer")
      ->check(CLI::Range(std::size_t{1}, kInFlightMax));
  auto* paced = app.add_subcommand("paced", "at a fixed rate");
  paced->add_option("--rate", options.rate, "orders a second")->check(CLI::Range(0.1, 1e6));
  auto* fill = app.add_subcommand("fill", "sends, and waits for the broker only");
  fill->add_option("--count", options.count, "orders")
      ->required()
      ->check(CLI::Range(1, 1'000'000'000));
  auto* drain = app.add_subcommand("drain", "takes the answers to what fill has sent");
  drain->add_option("--count", options.count, "orders")
      ->required()
      ->check(CLI::Range(1, 1'000'000'000));
  CLI11_PARSE(app, argc, argv);

  boost::asio::io_context context{1};
  Load load(context, options);
  const auto task = closed->parsed()  ? &Load::closed
                    : paced->parsed() ? &Load::paced
                    : fill->parsed()  ? &Load::fill
                                      : &Load::drain;
  boost::asio::co_spawn(context, load.watch(), rethrow);
  boost::asio::co_spawn(context, (load.*task)(), [&context](const std::exception_ptr& error) {
    rethrow(error);
    context.stop();
  });
  context.run();
  if (isatty(STDERR_FILENO) == 1) {
    fmt::print(stderr, "\r\033[K");
  }
  fmt::print("{}\n", to_json(load.report()));
  return 0;
}

}  // namespace
}  // namespace inventory::bench

int main(int argc, char** argv) {
  try {
    return inventory::bench::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench-load: {}\n", error.what());
    return 1;
  }
}
