#pragma once

// Passage: passes requests of one source queue on to one partition.
//
//   directly   to the partition's queue. What that queue has not confirmed is in hand, that is, not
//              acknowledged at the source
//   aside      if that queue takes none for ten seconds, or sooner if more than the partition's
//              share of requests would be in hand: all of them go to a queue of the router's own,
//              `….waiting`, and are acknowledged. From there they go to the partition's queue, in
//              order; what comes meanwhile goes behind them. When none is left, directly again
//
// It is told to go aside for a look when another router may have left requests there. Only one
// router at a time takes them from there (reserves.h).
//
// Invariants:
//   1. Order is kept as a lane keeps it (lane.h): what comes later is published to the partition's
//      queue only after all that was put aside before was taken there.
//   2. No more than its share is in hand for longer than ten seconds, unless the router's own queue
//      takes none either.
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
  Choose choose = nullptr;  // finds the products of what the router's own queue holds
  std::size_t bytes_max = 65'536;
  std::string user;       // see pass_on()
  std::size_t share = 1;  // in hand at most, while its queue takes none
  std::size_t most = 1;   // in hand at most, while it is not known whether it does
  std::uint32_t seed = 0;
};

class Passage {
 public:
  // They may call the passage only in a later turn of the event loop.
  struct Events {
    std::function<void(std::uint64_t delivery_tag)> on_passed;  // of the source: acknowledge it
    std::function<void(Parcel parcel, const amqp::Error& why)> on_refused;
    std::function<void()> on_change;  // trouble() or blocked()
  };

  Passage(const boost::asio::any_io_executor& executor, PassageOptions options, Outlets& outlets,
          Reserves& reserves, service::Clock& clock, Events events);

  // Begins a session.
  void begin();

  // Passes on what another router has left before whatever is added from now on.
  void look_aside();

  void add(Parcel parcel);

  // A refused parcel was settled as a dead letter.
  void buried(const Parcel& parcel);

  // Handles timeouts. To be called regularly while is_busy().
  void look();

  // From now on nothing more is taken out of the router's own queue.
  void stop();

  // Ends the session and forgets what is not settled. Call abandon() on all passages, then drop the
  // reserves, which a passage may be waiting for, then call end().
  void abandon();
  Task<void> end();

  bool is_busy() const { return in_hand() > 0 || is_aside_; }
  std::size_t in_hand() const { return lane_.unsettled() + reserve_.unsettled() + held_.size(); }

  // Whether requests in hand are being taken, as far as is known.
  bool is_moving() const;

  // Why and where requests for this partition wait; empty if none do.
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
  Task<void> rest();
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
  std::uint64_t looks_ = 0;  // that were asked for
  std::deque<Parcel> held_;  // came while aside, not passed on yet
  std::chrono::steady_clock::time_point held_since_ = {};
  std::chrono::steady_clock::time_point held_until_ = {};  // however many: the first look is short
  std::vector<std::uint64_t> taken_;            // tags taken from the reserve, not removed
  std::size_t refused_ = 0;                     // of those: they become dead letters
  std::optional<amqp::Error> reserve_failure_;  // of take_some()
  std::optional<std::string> unread_;           // why the router's own queue is not read
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
