#pragma once

// Observer: is told by a flow about its work, for metrics. Calls are made per batch, not per
// request, so that they cost little. This class itself ignores them.
//
// Threads: the flow's executor.
// Not:     an observer must not throw, block or call the flow.

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

#include "amqp/message.h"
#include "contract/event.h"
#include "domain/outcome.h"
#include "store/error.h"

namespace inventory::service {

using domain::kOutcomeCount;
using domain::Outcome;

struct Tally {
  std::array<std::size_t, kOutcomeCount> decided{};  // by Outcome, without replays
  std::size_t replays = 0;                           // decided before, and answered the same
};

// How many published messages ended in which way.
struct Published {
  std::size_t confirmed = 0;
  std::size_t returned = 0;  // their queue is gone
  std::size_t given_up = 0;  // their queue keeps rejecting, or their address is harmful
  std::size_t rejected = 0;  // and published again
  std::size_t kept = 0;      // in the service's own queue, since the client's takes none
  std::array<std::size_t, contract::kRoutingKeys.size()> events{};  // confirmed, by Topic

  friend bool operator==(const Published&, const Published&) = default;
};

class Observer {
 public:
  using Duration = std::chrono::steady_clock::duration;
  using TimePoint = std::chrono::steady_clock::time_point;

  Observer() = default;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  virtual ~Observer() = default;

  static Observer& none() {
    static Observer nobody;
    return nobody;
  }

  // The link to the broker is open, or is gone, so that nothing is in hand.
  virtual void connected() {}
  virtual void disconnected() {}

  // The broker takes no messages, or takes them again. May be called again with the same value.
  virtual void blocked(bool /*is_blocked*/) {}

  virtual void received(std::size_t /*requests*/) {}
  virtual void transaction(Duration /*took*/, std::optional<store::Fault> /*fault*/) {}
  virtual void retried(store::Fault /*fault*/) {}  // a batch is decided again
  // Current number of requests that fail on their own, with those that wait behind them.
  virtual void put_aside(std::size_t /*requests*/) {}
  // An order without line_id was answered as a repetition, though its message has another
  // message_id: it may be a second line. One call per order, since this should never happen.
  virtual void repeated_with_another_message_id() {}
  virtual void decided(const Tally& /*tally*/, Duration /*took*/) {}
  virtual void published(const Published& /*messages*/) {}
  // The broker has confirmed a dead letter; given with all its headers. One call per letter, since
  // there should be few.
  virtual void dead_lettered(const amqp::Message& /*letter*/) {}
  virtual void waiting(std::size_t /*replies*/) {}  // current number, for queues that take none
  virtual void settled(Duration /*took*/) {}        // everything that a batch causes

  // A batch, whose requests were delivered at these times.
  virtual void acknowledged(const Tally& /*tally*/, std::span<const TimePoint> /*delivered*/,
                            TimePoint /*now*/) {}
};

}  // namespace inventory::service
