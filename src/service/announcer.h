#pragma once

// Announcer: publishes events to an exchange, over a connection of its own, and reports each once
// the broker has confirmed it. Used by the settler: an event is one of the messages that a request
// causes.
//
//   confirmed  settled, whether or not a queue is bound to the exchange
//   rejected   by a bound queue: the event waits; one event is tried again, with backoff, the
//              others once that one is taken
//   no answer  from a bound queue: later events wait once too many are under way. After half a
//              minute all unanswered events are published again over another connection
//   the channel or the connection is closed: the exchange is gone (404) or forbidden (403), or the
//              link broke. The exchange is declared unless it exists, over another connection, and
//              unanswered events are published again; with backoff
//
// Invariants:
//   1. No event is given up: end() forgets those that are not settled, but their requests are
//      redelivered. An event may be published twice.
//   2. A bound queue that takes nothing delays no reply: only the requests of its events wait, and
//      the settler stops the flow only if too many wait.
//   3. Nothing runs while no event is unsettled.
//
// Threads: one executor. The clock outlives it; end() is awaited before it is destroyed.
// Not:     does not limit how many events wait: see unsettled().

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "contract/event.h"
#include "service/backoff.h"
#include "service/broker.h"
#include "service/clock.h"
#include "service/log_throttle.h"
#include "service/wakeup.h"

namespace inventory::service {

struct AnnouncerOptions {
  std::string queue;       // of the requests, for logs
  std::string exchange;    // empty: there are no events
  std::uint32_t seed = 0;  // of the jitter
};

class Announcer {
 public:
  // `on_settled`: an event of a request was confirmed. `on_change`: unsettled(), trouble() or
  // blocked() has changed. Neither may call the announcer.
  struct Events {
    std::function<void(contract::Topic topic, std::uint64_t request)> on_settled;
    std::function<void()> on_change;
  };

  Announcer(const boost::asio::any_io_executor& executor, AnnouncerOptions options, Clock& clock,
            Events events);

  // Begins a session over a link, which outlives it.
  void begin(Link& link) { link_ = &link; }

  // Publishes an event; does not wait.
  void add(contract::Event event, std::uint64_t request);

  std::size_t unsettled() const { return parcels_.size(); }

  // Why events are not taken; empty if they are.
  const std::optional<std::string>& trouble() const { return trouble_; }

  // The broker's reason for taking no messages over this connection; empty if it takes them.
  const std::optional<std::string>& blocked() const { return blocked_; }

  // Handles timeouts. To be called regularly while an event is unsettled.
  void look();

  // Ends the session: closes the connection, gracefully or at once, and forgets what is not
  // settled.
  Task<void> end(bool in_order);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Token = std::uint64_t;

  struct Parcel {
    contract::Topic topic;
    std::uint64_t request;
    amqp::Message message;
    bool is_under_way = false;
    TimePoint sent_at = {};
  };

  void kick();
  Task<void> run();
  Task<void> open();
  Task<void> send();
  bool has_room() const;
  void on_answer(Token token, amqp::Settlement settlement);
  void on_lost(amqp::Error error);
  void on_blocked(const std::optional<std::string>& reason);
  void put_back(Token token, Parcel& parcel);
  void drop_outlet(const amqp::Error& error);
  void be_careful(std::string_view why);
  void set_trouble(std::optional<std::string> trouble);

  boost::asio::any_io_executor executor_;
  AnnouncerOptions options_;
  Clock& clock_;
  Events events_;

  Link* link_ = nullptr;
  std::unique_ptr<Outlet> outlet_;
  std::map<Token, Parcel> parcels_;
  std::deque<Token> waiting_;  // to be published, in order
  std::size_t under_way_ = 0;
  Token next_token_ = 1;
  std::optional<amqp::Error> lost_;  // the connection is unusable
  TimePoint next_try_ = {};
  Backoff backoff_;
  Token probe_ = 0;          // the one under way while it is careful
  bool is_careful_ = false;  // after a failure: one at a time, until the broker takes it
  bool is_running_ = false;
  bool is_ending_ = false;
  std::optional<std::string> trouble_;
  std::optional<std::string> blocked_;
  LogThrottle log_;
  Wakeup wake_;   // run()
  Wakeup ended_;  // for end()
};

}  // namespace inventory::service
