#pragma once

// Checks: checks the promises of docs/contract.md from outside the service: at the broker, at the
// database, and where a request is acknowledged.
//
// It recognizes a request by its header `traceparent`, which is unique, and which replies and dead
// letters repeat.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "amqp/message.h"
#include "domain/command.h"
#include "event_model.h"
#include "hold_model.h"
#include "scheduler.h"
#include "service/kinds.h"
#include "tables.h"

namespace inventory::simulation {

inline constexpr std::string_view kOrderQueue = "order_validate";
inline constexpr std::string_view kItemQueue = "inventory_new_item";
inline constexpr std::string_view kOrderReplies = "order_validate_response";
inline constexpr std::string_view kItemReplies = "inventory_new_item_response";
inline constexpr std::size_t kBodyBytesMax = 300;
inline constexpr std::string_view kPoison = "poison";    // order ids that the database refuses
inline constexpr domain::Quantity kBadItemQuantity = 4;  // of items for which a trigger may fail

// In the order of service::kinds().
enum class Kind : std::uint8_t { order, item, cancellation, confirmation, expiry, adjustment };

inline const service::KindRow& row_of(Kind kind) {
  return service::kinds()[static_cast<std::size_t>(kind)];
}

// Request: one message in a request queue. A duplicate is another Request.
struct Request {
  std::uint64_t number;
  Kind kind;
  amqp::Properties properties;
  std::string body;
  std::optional<std::string> undecodable;   // the consumer's error
  Time since{0};                            // in the queue
  bool is_refused = false;                  // not valid, or refused by the database
  std::vector<domain::ProductId> products;  // of a valid one
  std::optional<domain::Command> command;   // of a valid one that is not an item
  std::optional<std::string> identity;  // of a valid one, if it has one; unique for its products
  std::string asked;                    // of a valid one: the same for its repetitions
  bool adds_unseen = false;  // an item without identity or chosen id: every delivery adds one
  unsigned replies = 0;      // that reached a queue
  unsigned undeliverable_replies = 0;  // whose queue was gone or always rejected
  unsigned kept_replies = 0;           // in the service's `.undelivered` queue
  unsigned dead_letters = 0;
  unsigned refusals = 0;  // of the dead letters: because it failed for too long

  bool is_order() const { return kind == Kind::order; }
  bool is_replied_to() const { return kind != Kind::expiry; }  // an expiry has no reply
  bool is_answered() const {
    return !is_replied_to() || replies + undeliverable_replies + kept_replies > 0;
  }
};

// Arrivals: the orders that one process has received over its current link, in order.
struct Arrivals {
  std::uint64_t epoch = 0;  // each link is a new epoch
  std::vector<const Request*> received;
  std::set<const Request*> overtaken;  // undecided when a later one for the product was decided
};

// How long a good request may wait for its answer in a calm world. A stopped process waits 5 s for
// what is under way, and the next process may also be stopped before it reaches the request;
// silence is noticed after half a second, and a lock is waited for a quarter of a second,
// repeatedly. This is well below the half minute for which a flow would stand still if it waited
// for a silent queue, and below the minutes for which a failing row is retried.
inline constexpr Time kAnswerMax = seconds(10);

// How long after its end a hold may be given back, in a calm world, while an instance runs.
inline constexpr Time kGiveBackMax = seconds(5);

class Checks {
 public:
  Checks(const Tables& tables, const Scheduler& scheduler, bool is_clean, bool is_calm)
      : tables_(tables),
        scheduler_(scheduler),
        is_clean_(is_clean),
        is_calm_(is_calm),
        model_(tables,
               [this](std::string_view promise, std::string_view how) { broken(promise, how); }),
        events_(tables, is_clean,
                [this](std::string_view promise, std::string_view how) { broken(promise, how); }) {}

  EventModel& events() { return events_; }

  // The first broken promise, if any.
  const std::optional<std::string>& violation() const { return violation_; }
  void broken(std::string_view promise, std::string_view how);

  // Adds a request that has reached a queue and must be answered. Gives it its traceparent.
  Request& add(Kind kind, amqp::Properties properties, std::string body,
               std::optional<std::string> undecodable);
  Request* find(const amqp::Properties& properties);
  static std::string reply_queue(const Request& request);
  std::uint64_t next_outlet() { return ++outlets_; }

  // From now on, requests that concern these are bad.
  void mark_bad_queue(const std::string& queue) { bad_queues_.insert(queue); }
  void mark_bad_product(domain::ProductId product) { bad_products_.insert(product); }
  void mark_bad_items() { are_items_bad_ = true; }
  // For this long no events are taken, and requests stay unacknowledged.
  void mark_bad_events(Time how_long);
  // The requests that the process has not acknowledged are delivered again.
  void on_process_stopped() { stopped_with_events_ += events_bad_for_ > Time(0) ? 1 : 0; }
  // How long a failing request must be retried at least before it may be refused.
  void set_refused_min(Time least) { refused_min_ = least; }
  // Whether there is an instance that takes requests, from now on.
  void set_served(bool is_served) { served_since_ = is_served ? scheduler_.now() : Time::max(); }
  bool is_bad_product(const Request& request) const;
  // The database says that another session has locked the product.
  void on_found_locked(domain::ProductId product);
  bool may_be_refused(const Request& request) const;
  bool is_good(const Request& request) const;
  // The first request that is not bad and has no answer; null if there is none.
  const Request* first_good_unanswered();

  // The service has published a message, and the broker has put it into its queue, if there is one.
  void on_published(const amqp::Message& message, bool has_queue);
  // The flow has received the request from a link.
  void on_received(const Request& request);
  // The service has given up the reply: the client's queue has always rejected it, or the broker
  // closes connections because of its address.
  void on_given_up(const Request& request);
  // The flow acknowledges the request, this long after it came. The last two say whether the broker
  // has settled its reply and its dead letter on that link.
  void on_acknowledge(const Request& request, Time after, bool reply_is_settled,
                      bool dead_letter_is_settled);
  // Called before on_commit() for each request that the transaction decides. `is_serial`: its
  // products were locked. `began`: when the transaction began.
  void on_decision(const domain::Command& command, const domain::Decision& decision, bool is_serial,
                   domain::Timestamp began);
  void on_commit(const std::set<domain::ProductId>& touched);
  // A process has decided these entries, for requests received in this epoch.
  void on_decided(Arrivals& arrivals, std::uint64_t epoch,
                  const std::map<domain::LedgerKey, domain::LedgerEntry>& entries);
  // All queues are drained; `initial` are the tables at the beginning.
  void on_drained(const Tables& initial);
  // As above, if there was one process at a time and nothing failed: then decisions must be those
  // that the domain takes for one order at a time.
  void on_drained_alone(const Tables& initial);

  std::uint64_t requests() const { return requests_.size(); }
  std::uint64_t replies() const { return replies_; }
  std::uint64_t undeliverable_replies() const { return undeliverable_replies_; }
  std::uint64_t replays() const { return replays_; }
  std::uint64_t dead_letters() const { return dead_letters_; }
  std::uint64_t kept_replies() const { return kept_replies_; }
  std::uint64_t given_up() const { return given_up_; }
  std::uint64_t refusals() const { return refusals_; }
  Time longest_wait() const { return longest_wait_; }
  std::uint64_t holds() const { return holds_; }
  std::uint64_t expired() const { return expired_; }
  std::uint64_t confirmed() const { return confirmed_; }
  Time longest_overdue() const { return longest_overdue_; }

 private:
  void on_kept(Request& request, const amqp::Message& reply);
  void on_reply(Request& request, const amqp::Message& reply);
  void check_wait(const Request& request);
  void on_dead_letter(Request& request, const amqp::Message& letter);
  void check_decision(const Request& request, const amqp::Message& reply, bool is_replayed);
  void check_anonymous_item(const Request& request, const std::string& body);
  bool is_refusal(const Request& request, const std::string& body) const;
  // If several are possible, the one that equals `body`, if any.
  std::optional<std::string> expected_reply(const Request& request, const std::string* body) const;
  std::optional<std::string> expected_decision(const Request& request,
                                               const std::string* body) const;
  std::optional<std::string> expected_order(const Request& request) const;
  std::optional<std::string> expected_basket(const Request& request) const;
  std::optional<std::string> expected_cancellation(const Request& request) const;
  std::optional<std::string> expected_confirmation(const Request& request,
                                                   const std::string* body) const;
  std::optional<std::string> expected_adjustment(const Request& request) const;
  std::optional<std::string> expected_item(const Request& request) const;
  void check_order_within(const Arrivals& arrivals,
                          const std::map<domain::LedgerKey, domain::LedgerEntry>& entries);
  bool may_be_conflict(const Request& request) const;
  bool is_conflict_of_then(const Request& request, const std::string& body) const;
  const domain::LedgerEntry* entry(domain::ProductId product, const std::string& identity) const;
  void check_entry(const domain::LedgerEntry& entry);
  void check_hold(const domain::LedgerEntry& entry);
  void check_basket(const Request& request);
  void check_decided(const Request& request, std::set<std::string>& decided) const;

  const Tables& tables_;
  const Scheduler& scheduler_;
  const bool is_clean_;
  const bool is_calm_;
  Time refused_min_{0};
  std::uint64_t settled_up_to_ = 0;  // requests up to this one are answered or bad
  std::optional<std::string> violation_;
  std::map<std::uint64_t, Request> requests_;
  std::map<std::string, std::string> reply_bodies_;      // by identity and request
  std::map<std::string, std::uint64_t> first_deciders_;  // by identity: the request
  std::map<domain::ProductId, std::uint64_t> anonymous_items_;
  std::vector<std::uint64_t> received_;
  std::set<std::string> bad_queues_;
  std::set<domain::ProductId> bad_products_;
  struct FoundLocked {
    Time first;
    Time last;
  };
  std::map<domain::ProductId, FoundLocked> found_locked_;
  bool are_items_bad_ = false;
  Time events_bad_for_{0};  // in total
  unsigned stopped_with_events_ = 0;
  std::uint64_t replies_ = 0;
  std::uint64_t undeliverable_replies_ = 0;
  std::uint64_t replays_ = 0;
  std::uint64_t dead_letters_ = 0;
  std::uint64_t kept_replies_ = 0;
  std::uint64_t given_up_ = 0;
  std::uint64_t refusals_ = 0;
  std::uint64_t outlets_ = 0;
  Time longest_wait_{0};  // of a request that is not bad, in a calm world
  HoldModel model_;
  EventModel events_;
  std::uint64_t holds_ = 0;
  std::uint64_t expired_ = 0;
  std::uint64_t confirmed_ = 0;
  Time served_since_ = Time::max();  // since when an instance has been running
  Time longest_overdue_{0};          // of a hold of a product that is not bad, in a calm world
};

}  // namespace inventory::simulation
