#pragma once

// Sweeper: finds holds that are over and asks for each to be given back: it publishes a request to
// the expiry queue and changes nothing itself. Any number of instances may find the same hold at
// once; its expiry is decided once.
//
// Invariants:
//   1. A hold that is due is asked for within two seconds, provided that the database can be read,
//      the broker takes messages, and fewer than `awaited_max` holds that were asked for are still
//      open, fewer than a quarter of that for its product.
//   2. It is asked for again while it stays open: after thirty seconds, then after twice as long
//      each time, up to an hour. A request may be lost; but if it cannot be done, because a trigger
//      fails, say, each repetition becomes a dead letter.
//   3. Holds are read and published page by page, each confirmed before the next. However many are
//      due, memory and the queue stay bounded.
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
#include <string_view>
#include <unordered_map>
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
  std::size_t awaited_max = 10'000;  // holds that were asked for and are still open
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

  // Runs until stop(), which does not wait for the database.
  Task<void> run();
  void stop();

  // Why holds that are over are not asked for now; empty if they are. And whether the reason is
  // that the database as a whole cannot be used.
  const std::string& problem() const { return problem_; }
  bool has_outage() const { return has_outage_; }

 private:
  // Handles one page. Returns whether there may be more.
  Task<bool> sweep();
  Task<bool> publish(const std::vector<domain::Hold>& holds);
  Task<bool> open();
  Task<void> close();
  std::vector<domain::Hold> to_ask(const std::vector<domain::Hold>& due);
  void remember(const std::vector<domain::Hold>& asked);
  void end_pass(domain::Timestamp seen_before);
  void fail(std::string_view about, std::string problem);

  const SweeperOptions options_;
  Broker& broker_;
  store::Store& store_;
  Clock& clock_;
  Pause pause_;
  Wakeup settled_;
  LogThrottle trouble_;
  std::unique_ptr<Link> link_;
  std::unique_ptr<Outlet> outlet_;   // destroyed before its link
  std::optional<std::string> lost_;  // why the outlet is unusable
  std::map<std::uint64_t, amqp::Message> under_way_;
  std::uint64_t next_token_ = 1;
  bool is_rejected_ = false;
  std::string problem_;
  bool has_outage_ = false;
  std::optional<domain::Hold> after_;  // the last hold seen in this pass
  // How many holds of this pass were asked for once and not given back yet, in all and for each
  // product. One product gets at most a quarter: its holds may fail forever, and others must not
  // wait for them.
  std::size_t awaited_ = 0;
  std::map<domain::ProductId, std::size_t> awaited_of_;
  struct Asked {
    std::chrono::steady_clock::time_point again_at;
    std::chrono::seconds pause{};
    domain::Timestamp expires_at;
    std::uint64_t seen_in = 0;  // the pass in which it was due last
  };
  std::uint64_t pass_ = 0;
  // By the hash of their keys: if two have the same, one waits for the other.
  std::unordered_map<std::size_t, Asked> asked_;
};

}  // namespace inventory::service
