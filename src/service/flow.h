#pragma once

// Flow: takes requests from one queue and answers them; the same code for every kind of request.
//
//   receive -> decide and commit -> publish -> settled -> acknowledge
//
// Batches form by themselves: what has arrived while one batch was decided is the next. Two stages
// overlap: while one batch is published, the next is decided. A request that cannot be decided now,
// or whose reply cannot be delivered now, leaves its batch and waits beside the flow.
//
// Invariants:
//   1. A request is acknowledged only after its decision is committed and all that it causes is
//      settled: confirmed by the broker, kept by the service, or undeliverable through the client's
//      own doing: its queue is gone, keeps rejecting, or its address or the reply's size makes the
//      broker refuse it.
//   2. Requests for one product are decided in the order in which they were received.
//   3. The flow holds nothing that the broker would not redeliver: in any doubt it gives up the
//      link and opens another.
//   4. It takes requests only while the database can decide and the broker takes answers.
//
// Threads: one executor. Broker, handler, store, clock and observer outlive the flow.
// Limits:  at most as many requests are in hand as the prefetch allows; at most three batches of
//          them are on their way, the others wait beside the flow.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/experimental/channel.hpp>

#include "service/acknowledger.h"
#include "service/backoff.h"
#include "service/broker.h"
#include "service/clock.h"
#include "service/handler.h"
#include "service/log_throttle.h"
#include "service/observer.h"
#include "service/pause.h"
#include "service/settler.h"
#include "service/status.h"
#include "service/wakeup.h"
#include "store/store.h"

namespace inventory::service {

struct FlowOptions {
  std::string queue;             // of the requests, for logs
  std::size_t batch_max = 500;   // requests decided in one transaction
  std::size_t prefetch = 2'000;  // requests in hand: at most three eighths of them wait for clients
  // How long the database may fail before the requests in hand are given back to the broker;
  // doubled each time that it was in vain, up to 10 minutes.
  std::chrono::milliseconds pause_after{60'000};
  std::uint32_t seed = 0;            // of the jitter
  std::string events_exchange = {};  // where events go; empty: there are none
};

class Flow {
 public:
  // `on_change` is called whenever status() has changed.
  Flow(const boost::asio::any_io_executor& executor, FlowOptions options, Broker& broker,
       Handler& handler, store::Store& store, Clock& clock, std::function<void()> on_change,
       Observer& observer = Observer::none());

  // Runs until stop(); after a failure it connects again, with backoff.
  Task<void> run();

  // Receives nothing more; run() returns once what was received is answered and acknowledged, or
  // cannot be. Idempotent; harmless before run().
  void stop();

  // If several apply, in this order: stopping, no link, outage, blocked, rejected.
  const Status& status() const { return status_; }

  // Whether it takes requests and nothing is in the way.
  bool is_consuming() const { return status_.condition == Condition::consuming; }

 private:
  using Batch = std::vector<Answer>;
  // Ends with std::nullopt: no other batch will follow.
  using Pipe =
      boost::asio::experimental::channel<void(boost::system::error_code, std::optional<Batch>)>;
  // The database fails: since when, and how long to wait before the next try.
  struct Outage;

  Task<Status> run_once();
  Task<std::optional<Status>> open();
  Task<void> decide_stage(Pipe& pipe, Status& why);
  Task<void> aside_stage(Pipe& pipe);
  Task<void> try_again(Pipe& pipe);
  Task<void> reply_stage(Pipe& pipe, Status& why);
  Task<void> tend_stage(Pipe& pipe, Status& why);
  Task<std::optional<std::vector<amqp::Delivery>>> receive(Status& why);
  Task<bool> wait_out(Outage& outage, const store::Error& error, Status& why);
  void on_settled(const SettledRequest& request);
  void acknowledge();
  void set_session(Status session);
  void set_outage(std::optional<std::string> outage);
  void update_suspicion();
  void update_status();

  boost::asio::any_io_executor executor_;
  FlowOptions options_;
  Broker& broker_;
  Handler& handler_;
  store::Store& store_;
  Clock& clock_;
  std::function<void()> on_change_;
  Observer& observer_;
  std::chrono::milliseconds patience_;  // with a database that fails
  Backoff reconnect_backoff_;
  Pause pause_;
  Settler settler_;
  LogThrottle reconnects_;
  LogThrottle outages_;
  std::unique_ptr<Link> link_;  // of the current session
  Acknowledger acknowledger_;
  Wakeup aside_;  // for aside_stage()
  std::exception_ptr aside_failure_;
  struct {
    Tally tally;
    std::vector<Observer::TimePoint> delivered;
  } settled_;  // and not acknowledged yet

  // What the status is made of.
  Status session_;                        // consuming while there is a link
  std::optional<std::string> outage_;     // requests in hand wait for the database
  std::optional<std::string> suspicion_;  // nothing is decided, though the database answers
  Status status_;
};

}  // namespace inventory::service
