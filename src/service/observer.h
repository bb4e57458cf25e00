#pragma once

// Observer: what a flow tells of its work while it works, for metrics. An event is a batch's, not a
// request's, so that it costs little. This class itself is the one that is told and does nothing.
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
  std::size_t replays = 0;                           // decided before, and answered as then
};

// How many of the messages that were published ended in which way.
struct Published {
  std::size_t confirmed = 0;
  std::size_t returned = 0;  // their queue is gone
  std::size_t given_up = 0;  // their queue keeps rejecting, or their address is harmful
  std::size_t rejected = 0;  // and published again
  std::size_t kept = 0;      // in the service's own queue, since the client's queue takes none
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

  // There is a link to the broker; and there is none any more, so that nothing is in hand.
  virtual void connected() {}
  virtual void disconnected() {}

  // The broker takes no messages, or takes them again. May be told again what it knows.
  virtual void blocked(bool /*is_blocked*/) {}

  virtual void received(std::size_t /*requests*/) {}
  virtual void transaction(Duration /*took*/, std::optional<store::Fault> /*fault*/) {}
  virtual void retried(store::Fault /*fault*/) {}  // a batch is decided again
  // Now: requests that fail by themselves, with those that wait behind them.
  virtual void put_aside(std::size_t /*requests*/) {}
  // An order was answered as one that is repeated, in a message with another message_id, and
  // without line_id: it may be a second line. An event of its own, for it should never come.
  virtual void repeated_with_another_message_id() {}
  virtual void decided(const Tally& /*tally*/, Duration /*took*/) {}
  virtual void published(const Published& /*messages*/) {}
  // The broker has a request as a dead letter: the letter, with all its headers. Each of them is
  // told: there should be few.
  virtual void dead_lettered(const amqp::Message& /*letter*/) {}
  virtual void waiting(std::size_t /*replies*/) {}  // for queues that take none, now
  virtual void settled(Duration /*took*/) {}        // everything that a batch causes

  // A batch, whose requests were delivered at these times.
  virtual void acknowledged(const Tally& /*tally*/, std::span<const TimePoint> /*delivered*/,
                            TimePoint /*now*/) {}
};

}  // namespace inventory::service
