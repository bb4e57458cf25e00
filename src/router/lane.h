#pragma once

// Lane: publishes messages to one queue, in order, each again until the broker has confirmed it.
//
//   confirmed  reported
//   rejected   the queue is full: rejected messages wait; the first is tried again, with backoff,
//              the others follow once it is taken
//   returned   the queue is gone: it is declared, then as above
//   no answer  the queue is silent: after ten seconds, and twice as long each time, up to two
//              minutes, the first is published again over another channel, the others once it is
//              taken
//   closed     the channel or its connection: all unanswered messages are published again; one by
//              one if the broker blames a message. One on which it has closed five times in a row
//              is refused
//
// Invariants:
//   1. No message is given up unless it is refused. A message may be published twice.
//   2. Messages for a product reach the queue in the order in which they were added. When a queue
//      begins to reject after it has taken some, or is deleted, those under way at that moment may
//      overtake; from then on, until a minute after the last rejection, no two for one product are
//      under way.
//   3. A queue that takes nothing delays no other lane: each lane has a channel of its own, with
//      fewer messages under way than make the broker stop reading the connection.
//   4. Nothing runs while there is no message.
//
// Threads: one executor. Outlets and clock outlive it; end() is awaited before it is destroyed.
// Not:     does not limit how many messages wait: see unsettled().

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
#include <vector>

#include "amqp/message.h"
#include "domain/ledger.h"
#include "router/turn.h"
#include "service/backoff.h"
#include "service/broker.h"
#include "service/clock.h"
#include "service/log_throttle.h"
#include "service/wakeup.h"

namespace inventory::router {

using service::Task;

// Outlets: opens the outlets of a session, one after the other, so that they share a connection.
class Outlets {
 public:
  explicit Outlets(const boost::asio::any_io_executor& executor) : turns_(executor) {}

  // The link outlives the session. After end() none is opened.
  void begin(service::Link& link) { link_ = &link; }
  void end() { link_ = nullptr; }

  Task<amqp::Result<std::unique_ptr<service::Outlet>>> open(service::OutletEvents events);

  // Declares a queue unless it exists, over a connection of its own: a broker that does not answer
  // delays no other lane.
  Task<amqp::Result<void>> declare(std::string queue);

 private:
  service::Link* link_ = nullptr;
  Turns turns_;
};

// Parcel: a message on its way, and where it came from.
struct Parcel {
  enum class From : std::uint8_t { source, reserve };

  amqp::Message message;
  std::vector<domain::ProductId> products;
  std::uint32_t partition = 0;
  From from = From::source;
  std::uint64_t delivery_tag = 0;  // at its origin
};

struct LaneOptions {
  std::string queue;
  std::string source;       // for logs
  bool may_be_new = false;  // declare it before publishing
  std::uint32_t seed = 0;   // of the jitter
};

class Lane {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // They may call the lane only in a later turn of the event loop.
  struct Events {
    std::function<void(Parcel parcel)> on_taken;  // the broker has confirmed it
    std::function<void(Parcel parcel, const amqp::Error& why)> on_refused;
    std::function<void()> on_change;  // trouble() or blocked()
  };

  Lane(const boost::asio::any_io_executor& executor, LaneOptions options, Outlets& outlets,
       service::Clock& clock, Events events);

  // Publishes it; does not wait.
  void add(Parcel parcel);

  // Takes out all unsettled messages, in order. Those under way may still arrive.
  std::deque<Parcel> take_all();

  std::size_t unsettled() const { return parcels_.size(); }

  // Why the queue takes no messages, and since when; empty if it takes them.
  const std::optional<std::string>& trouble() const { return trouble_; }
  TimePoint trouble_since() const { return trouble_since_; }

  // Whether the queue has rejected a message lately: a full queue takes and rejects by turns.
  bool is_rejecting() const;

  // Since when no message under way has been answered; empty if none is under way.
  std::optional<TimePoint> unanswered_since() const;

  // The broker's reason for taking no messages; empty if it takes them.
  const std::optional<std::string>& blocked() const { return blocked_; }

  // How many messages were published again, for any reason.
  std::uint64_t retries() const { return retries_; }

  // Handles timeouts. To be called regularly while a message is unsettled.
  void look();

  // Ends the session: closes the channel, and forgets what is not settled.
  Task<void> end();

 private:
  using Token = std::uint64_t;

  struct UnderWay {
    Parcel parcel;
    bool is_under_way = false;
    TimePoint sent_at = {};
  };

  void kick();
  Task<void> run();
  Task<void> open();
  Task<void> declare();
  Task<void> send();
  bool has_room() const;
  bool may_go(const Parcel& parcel) const;
  void on_answer(Token token, amqp::Settlement settlement);
  void on_lost(amqp::Error error);
  void on_blocked(const std::optional<std::string>& reason);
  void put_back(Token token, UnderWay& one);
  void refuse(Token token, const amqp::Error& why);
  void drop_outlet(const amqp::Error& error);
  void be_careful(std::string_view why);
  void tell_trouble(std::string text);
  void set_trouble(std::optional<std::string> trouble);

  boost::asio::any_io_executor executor_;
  LaneOptions options_;
  Outlets& outlets_;
  service::Clock& clock_;
  Events events_;

  std::unique_ptr<service::Outlet> outlet_;
  std::map<Token, UnderWay> parcels_;
  std::deque<Token> waiting_;  // to be published, in order
  std::size_t under_way_ = 0;
  Token next_token_ = 1;
  TimePoint last_answer_ = {};
  std::optional<amqp::Error> lost_;  // the channel is unusable
  TimePoint next_try_ = {};
  service::Backoff backoff_;
  std::chrono::seconds ask_after_;
  std::optional<TimePoint> last_rejection_;
  TimePoint in_order_until_ = {};  // until then one per product under way
  std::size_t window_;             // under way at most: 1 after a failure, one more for each taken
  std::size_t alone_ = 0;          // so many go one by one: the broker has blamed one of them
  int strikes_ = 0;                // how often it blamed the first, alone
  bool must_declare_ = false;
  bool is_running_ = false;
  bool is_ending_ = false;
  std::uint64_t retries_ = 0;
  std::optional<std::string> trouble_;
  TimePoint trouble_since_ = {};
  std::optional<std::string> blocked_;
  service::LogThrottle log_;
  service::Wakeup wake_;   // run()
  service::Wakeup ended_;  // for end()
};

}  // namespace inventory::router
