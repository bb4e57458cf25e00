#pragma once

// Flow: takes requests from one queue and answers them; the same code for every kind of request.
//
//   receive -> decide and commit -> publish -> settled -> acknowledge
//
// Batches form by themselves: what has gathered while one batch was decided is the next. Two stages
// overlap: while one batch is published, the next is decided.
//
// Invariants:
//   1. A request is acknowledged only after its decision is committed and all that it causes is
//      settled: confirmed by the broker, or undeliverable through the client's own doing: its queue
//      is gone, keeps rejecting, or its address makes the broker close the connection.
//   2. Batches are decided, published and acknowledged in the order in which they were received.
//   3. The flow holds nothing that the broker does not send again: on any doubt it gives the link
//      up and opens another.
//   4. It takes requests only while the database can decide and the broker takes answers.
//
// Threads: one executor. Broker, handler, store and clock outlive the flow.
// Limits:  at most three batches in hand: one decided, one waiting, one published.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/steady_timer.hpp>

#include "service/backoff.h"
#include "service/broker.h"
#include "service/clock.h"
#include "service/handler.h"
#include "store/store.h"

namespace inventory::service {

struct FlowOptions {
  std::string queue;            // of the requests, for logs
  std::size_t batch_max = 500;  // requests decided in one transaction
  // How long the database may fail before the requests in hand are given back to the broker. Well
  // below RabbitMQ's consumer timeout of 30 minutes.
  std::chrono::milliseconds pause_after{60'000};
  std::uint32_t seed = 0;  // of the jitter
};

class Flow {
 public:
  // `on_change` is called whenever what status() says has changed.
  Flow(const boost::asio::any_io_executor& executor, FlowOptions options, Broker& broker,
       Handler& handler, store::Store& store, Clock& clock, std::function<void()> on_change);

  // Runs until stop(): whatever fails is opened again, with backoff.
  Task<void> run();

  // Receives nothing more; run() returns once what was received is answered and acknowledged, or
  // cannot be. Idempotent; harmless before run().
  void stop();

  // Whether it takes requests at the moment.
  bool is_consuming() const { return status_.empty(); }

  // Why it does not take requests; empty if it does.
  const std::string& status() const { return status_; }

 private:
  struct Batch {
    std::uint64_t last_delivery_tag;
    std::vector<Outgoing> outgoing;
  };
  // Ends with nothing: an empty batch says that no other will follow.
  using Pipe =
      boost::asio::experimental::channel<void(boost::system::error_code, std::optional<Batch>)>;

  Task<std::string> run_once();
  Task<void> decide_stage(Pipe& pipe, std::string& why);
  Task<void> reply_stage(Pipe& pipe, std::string& why);
  Task<std::optional<std::vector<Answer>>> decide(std::span<const amqp::Delivery> deliveries,
                                                  std::string& why);
  Task<std::optional<std::string>> settle(std::vector<Outgoing> outgoing);
  Task<amqp::Result<std::vector<amqp::Settlement>>> publish(
      std::span<const amqp::Message> messages);
  Task<void> wait(std::chrono::milliseconds duration);
  void set_status(std::string status);

  boost::asio::any_io_executor executor_;
  FlowOptions options_;
  Broker& broker_;
  Handler& handler_;
  store::Store& store_;
  Clock& clock_;
  std::function<void()> on_change_;
  Backoff reconnect_backoff_;
  boost::asio::steady_timer stop_event_;  // expires when stop() is called
  bool stopping_ = false;
  bool one_by_one_ = false;  // publish each answer alone, to find a harmful one
  std::map<std::string, int>
      suspects_;                // reply addresses that made the broker close the connection
  std::unique_ptr<Link> link_;  // of the session that runs
  std::string status_ = "not started";
};

}  // namespace inventory::service
