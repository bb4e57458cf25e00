#pragma once

// Passage: the way of requests of one source queue to one partition.
//
//   directly   to the partition's queue. In hand, that is, not acknowledged at the source, is what
//              that queue has not confirmed
//   aside      where it takes none for ten seconds, or sooner where the requests would be more than
//              the partition's share of those that may be in hand: all of them go to a queue of the
//              router's own, `….waiting`, and are acknowledged. From there they go to the
//              partition's queue, in order; what comes meanwhile goes behind them. When there is
//              nothing left, directly again
//
// It begins aside: an earlier run, or another router, may have left something there.
//
// Invariants:
//   1. Order is kept as a lane keeps it (lane.h): what came later is published to the partition's
//      queue only after all that came earlier was taken there.
//   2. In hand are at most as many as its share, for longer than ten seconds, unless the router's
//      own queue takes none either.
//
// Threads: one executor. Outlets, reserves and clock outlive it; end() is awaited before it is
//          destroyed.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "router/lane.h"
#include "router/reserves.h"
#include "router/route.h"

namespace inventory::router {

struct PassageOptions {
  std::string source;
  std::uint32_t partition = 0;
  std::uint32_t partitions = 1;
  Choose choose = nullptr;  // to know the products of what is taken from the router's own queue
  std::size_t bytes_max = 65'536;
  std::string user;       // see pass_on()
  std::size_t share = 1;  // in hand at most, while its queue takes none
  std::size_t most = 1;   // in hand at most, while it is not known whether it does
  std::uint32_t seed = 0;
};

class Passage {
 public:
  // Neither may call the passage, but in a later turn of the event loop.
  struct Events {
    std::function<void(std::uint64_t delivery_tag)> on_passed;  // of the source: acknowledge it
    std::function<void(Parcel parcel, const amqp::Error& why)> on_refused;
    std::function<void()> on_change;  // trouble() or blocked()
  };

  Passage(const boost::asio::any_io_executor& executor, PassageOptions options, Outlets& outlets,
          Reserves& reserves, service::Clock& clock, Events events);

  // Begins a session.
  void begin();

  void add(Parcel parcel);

  // A parcel that was refused is settled, as a dead letter.
  void buried(const Parcel& parcel);

  // Sees to time that has passed. To be called now and then while is_busy().
  void look();

  // From now on nothing more is taken out of the router's own queue.
  void stop();

  // Ends the session and forgets what is not settled: first abandon() for all, then the reserves
  // are dropped, for which it may wait, then end().
  void abandon();
  Task<void> end();

  bool is_busy() const { return in_hand() > 0 || is_aside_; }
  std::size_t in_hand() const { return lane_.unsettled() + reserve_.unsettled() + held_.size(); }

  // Whether what is in hand goes on at once, as far as is known.
  bool is_moving() const;

  // While requests for this partition wait: why, and where.
  std::optional<std::string> trouble() const;
  const std::optional<std::string>& blocked() const {
    return lane_.blocked() ? lane_.blocked() : reserve_.blocked();
  }

  std::uint32_t partition() const { return options_.partition; }
  std::uint64_t passed() const { return passed_; }        // to the partition's queue
  std::uint64_t set_aside() const { return set_aside_; }  // to the router's own
  std::uint64_t retries() const { return lane_.retries() + reserve_.retries(); }

 private:
  bool must_go_aside() const;
  void go_aside();
  void bound_held();
  void put_into_reserve(std::deque<Parcel> parcels);
  void kick();
  Task<void> drain();
  Task<bool> take_some(Reserve& reserve);
  void on_taken(const Parcel& parcel);
  void on_refused(Parcel parcel, const amqp::Error& why);

  boost::asio::any_io_executor executor_;
  PassageOptions options_;
  Reserves& reserves_;
  service::Clock& clock_;
  Events events_;
  std::string reserve_queue_;
  Lane lane_;     // to the partition's queue
  Lane reserve_;  // to the router's own

  bool is_aside_ = false;
  std::deque<Parcel> held_;  // came while aside, and went nowhere yet
  std::chrono::steady_clock::time_point held_since_ = {};
  std::chrono::steady_clock::time_point held_until_ = {};  // however many: the first look is short
  std::vector<std::uint64_t> taken_;            // from the reserve, and not removed: their tags
  std::size_t refused_ = 0;                     // of those: they become dead letters
  std::optional<amqp::Error> reserve_failure_;  // of take_some()
  bool is_draining_ = false;
  bool is_stopping_ = false;
  bool is_ending_ = false;
  std::uint64_t passed_ = 0;
  std::uint64_t set_aside_ = 0;
  service::Backoff backoff_;
  service::LogThrottle log_;
  service::Wakeup wake_;   // drain()
  service::Wakeup ended_;  // for end()
};

}  // namespace inventory::router
