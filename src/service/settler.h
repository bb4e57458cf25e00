#pragma once

// Settler: publishes the messages that requests cause, and reports each request once all its
// messages are settled: confirmed by the broker, undeliverable through the client's own doing, or
// kept by the service.
//
// A reply that cannot be delivered now holds up no other: it leaves its batch and waits beside the
// flow, its request unacknowledged.
//
//   confirmed  settled
//   returned   by a client's queue: settled, the client is gone. By one of ours: the link is given
//              up
//   rejected   its queue is tried again with one message, with backoff. If a client's queue rejects
//              for ten seconds (five, if that was in vain before), the reply is given up
//   no answer  its queue is silent: the message stays under way, others for the queue wait. One of
//              them is sent after ten seconds: if the queue takes it, what is under way is sent
//              once more. After half a minute a client's reply is kept in the queue `kept_queue`,
//              and is thereby settled
//   the broker closes the connection because of a message: possible causes are published one by one
//              over a connection of their own. If it closes that too, a direct reply-to address is
//              given up, a queue after five times in a row. With 406 (too large for the broker) the
//              reply is given up, or the dead letter loses its body
//
// Connections, each opened when first needed:
//   replies    to queues that have taken a message before, and to those of the service
//   unproven   to clients' queues that have not: the broker may close it, or stop at one of the
//              queues
//   suspects   one message at a time, after the broker has closed a connection
//   retries    to queues that are tried again, each over a channel of its own
// A silent queue makes the broker stop reading a connection. The connection is then replaced, but
// kept for its answers; the queues of its unanswered messages may be sound and are tried again.
//
// The announcer publishes events (announcer.h).
//
// Invariants:
//   1. A request is settled once, and only after all its messages are.
//   2. A confirmed message is not published again. A message under way is published again only if
//      its connection is lost, given up or not read; once if its queue has taken one that was sent
//      ten seconds later; and to a queue of the service's own after half a minute without an
//      answer.
//   3. What waits is bounded: per queue, in total, and in time. Any excess is kept or given up.
//
// It outlives links: what it has learnt about addresses holds for the next link.
// Threads: one executor. Pause, clock and observer outlive it.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "log/fields.h"
#include "log/limit.h"
#include "service/announcer.h"
#include "service/answer.h"
#include "service/backoff.h"
#include "service/broker.h"
#include "service/clock.h"
#include "service/log_throttle.h"
#include "service/observer.h"
#include "service/wakeup.h"

namespace inventory::service {

struct SettlerOptions {
  std::string queue;                 // of the requests, for logs
  std::string kept_queue;            // for replies to clients' queues that are silent
  std::string events_exchange = {};  // empty: there are no events
  // Limits of waiting replies: for one client's queue, and for all. If only one queue takes
  // replies, it holds up no other: it is bounded by the prefetch and by the time that each reply
  // may wait.
  std::size_t waiting_of_queue_max = 500;
  std::size_t waiting_max = 750;
  std::uint32_t seed = 0;  // of the jitter
};

// A request all of whose messages are settled.
struct SettledRequest {
  std::uint64_t delivery_tag;
  Observer::TimePoint received_at;
  Outcome outcome;
  bool replayed;
};

class Settler {
 public:
  // `on_settled` is called for each request, before its link ends; `on_late` after such calls
  // outside of settle(). Neither may call the settler. `on_change` is called whenever trouble() or
  // blocked() has changed.
  struct Events {
    std::function<void(const SettledRequest&)> on_settled;
    std::function<void()> on_late;
    std::function<void()> on_change;
  };

  Settler(const boost::asio::any_io_executor& executor, SettlerOptions options, Clock& clock,
          Events events, Observer& observer);

  // Begins a session over a link, which outlives it: opens the connection for replies.
  Task<amqp::Result<void>> begin(Link& link);

  // Publishes, and waits until each message is settled or left to wait beside the flow. Returns why
  // the link is unusable, if it is.
  Task<std::optional<std::string>> settle(std::vector<Answer> answers);

  // Runs beside settle() until finish() or a failure: takes care of what waits. Returns why the
  // link is unusable.
  Task<std::optional<std::string>> tend();

  // From now on settle() does not wait for queues of the service's own that take nothing.
  void stop();

  // Waits, for `at_most`, for what is under way to queues that answer; ends tend().
  Task<void> finish(std::chrono::milliseconds at_most);

  // Ends the session: closes the connections, gracefully or at once, and forgets what is not
  // settled.
  Task<void> end(bool in_order);

  // Which queue of the service's own, or the exchange of events, takes no messages, and why; empty
  // if all do.
  const std::optional<std::string>& trouble() const { return trouble_text_; }

  // The broker's reason for taking no messages; empty if it takes them.
  const std::optional<std::string>& blocked() const { return blocked_; }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Token = std::uint64_t;
  using Tokens = std::vector<Token>;
  enum class Purpose : std::uint8_t { replies, unproven, suspects, retries };

  // A message on its way over a lane. If it is sent over the lane again, it gets another place.
  struct Sending {
    Token token;
    std::uint64_t place;
  };

  // A connection, and what goes over it.
  struct Lane {
    Purpose purpose;
    std::unique_ptr<Outlet> outlet = nullptr;
    std::deque<Sending> outbox = {};  // to be sent
    std::deque<Sending> sent = {};    // in order, from the first without an answer
    std::uint64_t last_place = 0;
    std::uint64_t last_answered = 0;  // the highest place with an answer
    TimePoint last_progress = {};     // last answer, or since when there may be one
    TimePoint next_open = {};
    bool is_sending = false;
    bool holds_kept = false;  // a message since kept, perhaps why it is not read
    bool is_retired = false;  // sends nothing more; waits for its answers
    std::optional<std::string> blocked = std::nullopt;  // the broker takes nothing over it
    std::optional<amqp::Error> lost = std::nullopt;
    TimePoint retired_at = {};
  };

  // A message that is not settled.
  struct Parcel {
    Outgoing outgoing;
    std::uint64_t request;  // its delivery tag
    std::uint64_t batch;
    TimePoint since;       // first published, or put aside
    Lane* lane = nullptr;  // under way there, or in its outbox
    std::uint64_t place = 0;
    TimePoint sent_at = {};  // or since when it is in the outbox
    // Its queue has taken a later message: if no answer to this one comes by then, it was lost.
    std::optional<TimePoint> republish_at = std::nullopt;
    bool was_republished = false;  // for that reason
    bool was_resent = false;
    bool is_waiting = false;  // for a queue in trouble
  };

  struct Request {
    Observer::TimePoint received_at;
    Outcome outcome;
    bool replayed;
    std::size_t unsettled;
    std::uint64_t batch;
  };

  // A queue that does not take what is sent to it.
  struct Trouble {
    bool is_silent = false;  // else it rejects
    bool is_ours = false;
    bool was_told = false;  // in the log
    // The broker works, only the queue does not: the broker rejects its messages, or has since
    // taken `witness`, one of its replies that was kept. Until then the whole broker may be stuck,
    // and no further reply is kept for exceeding a limit.
    bool is_sure = false;
    Token witness = 0;
    // Since when it takes messages again, while late answers may come over replaced connections.
    std::optional<TimePoint> recovering_since = std::nullopt;
    TimePoint since = {};
    TimePoint last_rejection = {};
    std::size_t unsettled = 0;  // its messages, under way or waiting
    std::deque<Token> waiting = {};
    TimePoint next_try = {};
    Backoff backoff;
  };

  Lane& open_lane(Purpose purpose);
  Lane* find_lane(Purpose purpose);
  Task<void> pump(Lane& lane);
  Task<void> pump_later(Lane& lane);
  void kick(Lane& lane);
  Task<bool> open(Lane& lane);
  void send(Token token, Purpose purpose);
  Purpose purpose_of(const Outgoing& outgoing) const;
  void put_in_outbox(Token token, Lane& lane);
  void try_again(Token token);

  void admit(Answer answer);
  void add(Outgoing outgoing, std::uint64_t request);
  void dispatch(Token token);

  void on_answer(Lane& lane, Token token, amqp::Settlement settlement);
  void on_lost(Lane& lane, const amqp::Error& error);
  void on_blocked(Lane& lane, const std::optional<std::string>& reason);
  void update_blocked();
  void on_event_settled(contract::Topic topic, std::uint64_t request);
  void answered(Token token, Parcel& parcel, amqp::Settlement settlement);
  void complete(Token token);
  void finish_request(std::uint64_t tag);
  void give_up(Token token, std::string_view why);
  void leave_batch(Parcel& parcel);

  Trouble& trouble(const std::string& queue, bool is_ours);
  void count(Trouble& trouble, std::ptrdiff_t change);
  void put_aside(Token token, Trouble& trouble);
  void take_from_waiting(Token token);
  void recover(const std::string& queue);
  void expect_late_answers(const std::string& queue);
  void republish_unanswered();
  std::unordered_set<Token> awaited_elsewhere(TimePoint since) const;
  void keep(Token token);
  void took_reply(const std::string& queue);
  bool is_the_only_one(const std::string& queue) const;

  bool see_to_losses();
  void see_to_loss(Lane& lane);
  void suspect(Tokens tokens, const amqp::Error& error);
  void convict(Token token, const amqp::Error& error);
  // Leaves out time in which this process was suspended and could see no answers. `late`: how much
  // later than it should the last wait has ended.
  void leave_out(TimePoint::duration late);
  void see_to_silence();
  void mark_silent(const std::string& queue);
  void retire(Lane& lane);
  void see_to_waiting();
  void bound_waiting(const std::string& queue, const Tokens& tokens, std::size_t share);
  void tell_of(const std::string& queue, Trouble& trouble, std::string_view what);
  void try_suspects();
  Task<void> declare_kept_queue();
  void forget_old_lanes();
  std::optional<std::chrono::milliseconds> next_look() const;

  // Null if it is settled or goes another way by now.
  Parcel* find_under_way(const Lane& lane, const Sending& sending);
  Tokens under_way(const Lane& lane);

  // How many addresses of each sort are remembered.
  static constexpr std::size_t kAddressesMax = 10'000;
  template <class Set>
  static void remember(Set& addresses, const std::string& address) {
    if (addresses.size() >= kAddressesMax) addresses.clear();
    addresses.insert(address);
  }
  void fail(std::string why);
  void tell_late();
  void update_texts();
  log::Fields fields(const amqp::Message& message) const;
  void log_bad_reply(const amqp::Message& message, const std::string& text);

  boost::asio::any_io_executor executor_;
  SettlerOptions options_;
  std::string dead_letter_queue_;
  Clock& clock_;
  Events events_;
  Observer& observer_;

  // Of the session.
  Link* link_ = nullptr;
  std::list<Lane> lanes_;
  std::unordered_map<Token, Parcel> parcels_;
  std::unordered_map<std::uint64_t, Request> requests_;
  Token next_token_ = 1;
  std::uint64_t batch_ = 0;
  std::size_t in_batch_ = 0;         // parcels of the batch that are under way
  std::size_t events_in_batch_ = 0;  // of the batch that are not settled
  TimePoint last_answer_ = {};
  TimePoint::duration usual_ = {};  // how long recent batches took until their last answer
  Tokens unanswered_;               // to be published again, unless an answer comes
  std::deque<Token> suspects_;
  std::deque<Token> to_keep_;
  bool has_kept_queue_ = false;
  TimePoint next_declaration_ = {};
  std::size_t held_up_ = 0;       // messages for clients' queues in trouble
  std::size_t held_up_here_ = 0;  // for queues of the service's own in trouble
  std::size_t running_ = 0;       // pumps
  bool is_stopping_ = false;
  bool is_in_settle_ = false;
  bool is_admitting_ = false;
  bool is_idle_ = false;  // tend() waits for something to happen
  bool is_ending_ = false;
  std::optional<std::string> failure_;
  Published published_;
  Wakeup settled_;  // for settle(), finish() and end()
  Wakeup look_;     // for tend()

  Announcer announcer_;

  // What is kept for the next link.
  std::map<std::string, Trouble> troubles_;
  std::unordered_set<std::string> proven_;  // clients' queues that have taken a reply
  std::set<std::string> harmful_;           // addresses on which the broker closes the connection
  std::map<std::string, int> strikes_;      // how often in a row it did so for a queue
  std::set<std::string> given_up_queues_;   // clients' queues for which a reply was given up
  struct Taker {
    std::string queue;
    TimePoint at;
  };
  std::optional<Taker> last_taker_;   // the client's queue that took a reply last
  std::optional<Taker> other_taker_;  // and the one that did before it

  std::optional<std::string> trouble_text_;
  std::optional<std::string> blocked_;
  LogThrottle rejections_;
  log::Limit log_limit_{10, std::chrono::seconds(10)};  // clients decide how many are bad
};

}  // namespace inventory::service
