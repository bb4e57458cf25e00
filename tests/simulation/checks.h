#pragma once

// Checks: the promises of docs/contract.md, watched from outside the service: at the broker, at the
// database, and at the point where a request is acknowledged.
//
// A request is followed by its header `traceparent`, which is its own and which replies and dead
// letters repeat.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "amqp/message.h"
#include "tables.h"

namespace inventory::simulation {

inline constexpr std::string_view kOrderQueue = "order_validate";
inline constexpr std::string_view kItemQueue = "inventory_new_item";
inline constexpr std::string_view kOrderReplies = "order_validate_response";
inline constexpr std::string_view kItemReplies = "inventory_new_item_response";
inline constexpr std::size_t kBodyBytesMax = 300;
inline constexpr std::string_view kPoison = "poison";  // order ids that the database refuses

// Request: one message to a request queue. A duplicate is another one.
struct Request {
  std::uint64_t number;
  bool is_order;
  amqp::Properties properties;
  std::string body;
  bool is_refused = false;              // not valid, or refused by the database
  std::optional<std::string> identity;  // of a valid one, if it has one
  unsigned replies = 0;                 // that reached a queue
  unsigned undeliverable_replies = 0;   // whose queue was gone, or kept rejecting
  unsigned dead_letters = 0;
};

class Checks {
 public:
  Checks(const Tables& tables, bool is_clean) : tables_(tables), is_clean_(is_clean) {}

  // The first broken promise, if any.
  const std::optional<std::string>& violation() const { return violation_; }
  void broken(std::string_view promise, std::string_view how);

  // A request that reaches a queue: it must be answered. Gives it its traceparent.
  Request& add(bool is_order, amqp::Properties properties, std::string body);
  Request* find(const amqp::Properties& properties);

  // The service published it, and the broker has put it into the queue, or there is no such queue.
  void on_published(const amqp::Message& message, bool has_queue);
  // The flow has taken it from a link.
  void on_received(const Request& request);
  // The flow acknowledges it; what the broker has confirmed on that link of what it caused.
  // A reply that its client's queue has rejected as often as the service tries.
  void on_given_up(const Request& request) { ++requests_.at(request.number).undeliverable_replies; }
  void on_acknowledge(const Request& request, bool reply_is_settled, bool dead_letter_is_settled);
  void on_commit(const std::set<domain::ProductId>& touched);
  // All is quiet; `initial` is what the tables held in the beginning.
  void on_drained(const Tables& initial);
  // As above, where one process after the other did everything, and nothing failed: then decisions
  // are those that the domain takes for one order at a time.
  void on_drained_alone(const Tables& initial);

  std::uint64_t requests() const { return requests_.size(); }
  std::uint64_t replies() const { return replies_; }
  std::uint64_t undeliverable_replies() const { return undeliverable_replies_; }
  std::uint64_t replays() const { return replays_; }
  std::uint64_t dead_letters() const { return dead_letters_; }

 private:
  void on_reply(Request& request, const amqp::Message& reply);
  void on_dead_letter(Request& request, const amqp::Message& letter);
  void check_decision(const Request& request, const amqp::Message& reply, bool is_replayed);
  void check_anonymous_item(const Request& request, const std::string& body);
  std::optional<std::string> expected_reply(const Request& request) const;

  const Tables& tables_;
  const bool is_clean_;
  std::optional<std::string> violation_;
  std::map<std::uint64_t, Request> requests_;
  std::map<std::string, std::string> reply_bodies_;      // by identity and request
  std::map<std::string, std::uint64_t> first_deciders_;  // by identity: the request
  std::map<domain::ProductId, std::uint64_t> anonymous_items_;
  std::vector<std::uint64_t> received_;
  std::uint64_t replies_ = 0;
  std::uint64_t undeliverable_replies_ = 0;
  std::uint64_t replays_ = 0;
  std::uint64_t dead_letters_ = 0;
};

}  // namespace inventory::simulation
