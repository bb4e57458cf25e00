#pragma once

// Router: takes requests from one undivided queue and passes each to the queue of its partition,
// for clients that do not know which that is (docs/scale.md).
//
//   take -> choose the partition -> publish -> confirmed -> acknowledge
//
// Another router may have left requests in the routers' own queues (passage.h). This one looks
// there when a session begins; before it passes on the first request, if there were other
// consumers, of which one was the active one until then (x-single-active-consumer); and when a
// consumer has gone.
//
// Invariants:
//   1. A request is acknowledged only after the broker has confirmed it in the partition's queue,
//      in the router's own queue for that partition, or, if it refuses the request for its content,
//      in the dead-letter queue. So a request may be passed on twice; the partition's ledger
//      recognises it.
//   2. Requests for a product are passed on in the order in which they were received (passage.h).
//   3. A partition whose queue takes nothing stops no other: see passage.h for what is in hand.
//   4. It holds nothing that the broker would not redeliver: in any doubt it gives up the link and
//      opens another.
//
// Threads: one executor. Broker, reserves and clock outlive it; run() has returned before it is
//          destroyed.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "router/lane.h"
#include "router/passage.h"
#include "router/reserves.h"
#include "router/route.h"
#include "service/acknowledger.h"
#include "service/backoff.h"
#include "service/broker.h"
#include "service/clock.h"
#include "service/log_throttle.h"
#include "service/pause.h"
#include "service/status.h"
#include "service/wakeup.h"

namespace inventory::router {

struct RouterOptions {
  std::string queue;  // the source
  Choose choose = nullptr;
  std::uint32_t partitions = 1;
  std::size_t prefetch = 2'000;  // requests in hand; half of it is shared by partitions in trouble
  std::size_t bytes_max = 65'536;
  std::string user = {};   // of the broker; see pass_on()
  std::uint32_t seed = 0;  // of the jitter, and of the first turn
};

class Router {
 public:
  // `on_change` is called whenever status() or note() has changed.
  Router(const boost::asio::any_io_executor& executor, RouterOptions options,
         service::Broker& broker, Reserves& reserves, service::Clock& clock,
         std::function<void()> on_change);

  // Runs until stop(); after a failure it connects again, with backoff.
  Task<void> run();

  // Receives nothing more; run() returns once the requests that are being taken are passed on and
  // acknowledged, at most five seconds later. Idempotent; harmless before run().
  void stop();

  const service::Status& status() const { return status_; }
  bool is_consuming() const { return status_.condition == service::Condition::consuming; }

  // Which partitions take nothing, and why; empty if all take requests. The others are served.
  std::string note() const;

  const std::vector<std::unique_ptr<Passage>>& passages() const { return passages_; }
  std::size_t in_hand() const { return acknowledger_.in_hand(); }
  std::uint64_t dead_lettered() const { return dead_lettered_; }

 private:
  Task<service::Status> run_once();
  Task<std::optional<service::Status>> open();
  Task<void> take(service::Status& why);
  Task<void> finish();
  Task<void> tend();
  void count_consumers();
  Task<void> count();
  void look_aside();
  void pass(amqp::Delivery delivery);
  void on_passed(std::uint64_t delivery_tag);
  void on_refused(Parcel parcel, const amqp::Error& why);
  void on_letter_refused(Parcel letter, const amqp::Error& why);
  void acknowledge();
  void set_session(service::Status session);
  void update_status();

  boost::asio::any_io_executor executor_;
  RouterOptions options_;
  service::Broker& broker_;
  Reserves& reserves_;
  service::Clock& clock_;
  std::function<void()> on_change_;
  service::Backoff reconnect_backoff_;
  service::Pause pause_;
  service::LogThrottle reconnects_;
  Outlets outlets_;
  std::vector<std::unique_ptr<Passage>> passages_;  // by partition
  Lane letters_;                                    // to the source's dead-letter queue
  std::unique_ptr<service::Link> link_;             // of the current session
  service::Acknowledger acknowledger_;
  std::uint32_t next_turn_;
  std::uint64_t dead_lettered_ = 0;
  bool is_to_acknowledge_ = false;
  bool is_tending_ = false;
  bool is_counting_ = false;
  std::uint32_t consumers_ = 0;  // of the source, as counted last in this session
  std::chrono::steady_clock::time_point next_count_ = {};
  bool must_look_ = false;    // before the first request of the session
  service::Wakeup look_;      // tend()
  service::Wakeup counted_;   // run_once()
  service::Wakeup progress_;  // finish()
  service::Status session_;   // consuming while there is a link
  service::Status status_;
  std::string told_note_;
};

}  // namespace inventory::router
