#pragma once

// Sweeper: finds holds that are over, and asks for each to be given back: it publishes a request to
// the expiry queue, and changes nothing itself. Any number of instances may find the same hold at
// once; its expiry is decided once.
//
// Invariants:
//   1. A hold that is due is asked for within two seconds, while the database can be read and the
//      broker takes messages; again every thirty seconds for as long as it is open.
//   2. A page at a time is read and published, and confirmed before the next: however many are due,
//      memory stays bounded.
//
// Threads: one executor. Broker, store and clock outlive it.
// Errors:  are logged, throttled, and what failed is tried again.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "domain/hold.h"
#include "service/broker.h"
#include "service/clock.h"
#include "service/log_throttle.h"
#include "service/pause.h"
#include "service/wakeup.h"
#include "store/store.h"

namespace inventory::service {

struct SweeperOptions {
  std::string queue;  // of expiry requests
  std::chrono::milliseconds interval{1'000};
  std::size_t page = 1'000;
};

class Sweeper {
 public:
  Sweeper(const boost::asio::any_io_executor& executor, SweeperOptions options, Broker& broker,
          store::Store& store, Clock& clock)
      : options_(std::move(options)),
        broker_(broker),
        store_(store),
        clock_(clock),
        pause_(executor, clock),
        settled_(executor, clock),
        trouble_(clock) {}

  // Until stop().
  Task<void> run();
  void stop();

 private:
  // One page. Whether there may be more at once.
  Task<bool> sweep();
  Task<bool> publish(const std::vector<domain::Hold>& holds);
  Task<bool> open();
  Task<void> close();
  std::vector<domain::Hold> not_asked_yet(const std::vector<domain::Hold>& due);

  const SweeperOptions options_;
  Broker& broker_;
  store::Store& store_;
  Clock& clock_;
  Pause pause_;
  Wakeup settled_;
  LogThrottle trouble_;
  std::unique_ptr<Link> link_;
  std::unique_ptr<Outlet> outlet_;  // ends before its link
  std::optional<std::string> lost_;
  std::map<std::uint64_t, amqp::Message> under_way_;
  std::uint64_t next_token_ = 1;
  bool is_rejected_ = false;
  std::optional<domain::Hold> after_;  // the last that was looked at
  std::map<domain::LedgerKey, std::chrono::steady_clock::time_point> asked_;
};

}  // namespace inventory::service
