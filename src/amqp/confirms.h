#pragma once

// Confirms: tracks the broker's answer for each message sent (RabbitMQ's publisher confirms,
// https://www.rabbitmq.com/docs/confirms). Pure: no I/O, no time.
//
// Invariants:
//   1. A message is settled only by its own confirm: confirms arrive out of order, and one without
//      `multiple` says nothing about lower tags.
//   2. Delivery tags count up from 1 without end. Each message is reported once.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "amqp/message.h"

namespace amqp {

enum class Settlement {
  confirmed,  // the broker has taken responsibility (basic.ack)
  returned,   // there is no such queue (basic.return, then basic.ack)
  rejected,   // the broker could not take it (basic.nack)
  too_large,  // its properties do not fit in a frame; it was not sent
};

// Reports the settlement of a message, identified by its sender's token.
using OnSettled = std::function<void(std::uint64_t token, Settlement settlement)>;

class Confirms {
 public:
  explicit Confirms(OnSettled on_settled) : on_settled_(std::move(on_settled)) {}

  // The prefix of message_ids that are generated for messages without one. Globally unique.
  void set_message_id_prefix(std::string prefix) { message_id_prefix_ = std::move(prefix); }
  std::string next_message_id() const;

  // The message was sent, with the next delivery tag.
  void sent(std::uint64_t token, const Message& message);

  // basic.ack and basic.nack. False: a delivery tag that was never used.
  bool confirm(std::uint64_t delivery_tag, bool multiple, Settlement settlement);

  // basic.return, which has no delivery tag and comes before the message's own ack. All messages
  // that match both arguments count as returned: the queue is gone, and which of them was meant is
  // unknown. message_id: empty if it has none.
  void returned(std::string_view message_id, std::string_view routing_key);

  std::size_t unsettled() const { return unsettled_; }

  // The routing key of the first message without an answer; nullptr if there is none.
  const std::string* first_unsettled() const;

 private:
  // One message; the delivery tag of sent_[i] is first_tag_ + i.
  struct Sent {
    std::uint64_t token;
    std::string routing_key;
    std::optional<std::string> message_id;  // the sender's; not a generated one
    bool has_given_id;
    bool is_settled = false;
    bool is_returned = false;
  };

  void settle(Sent& sent, Settlement settlement);
  Sent* find(std::string_view message_id, std::string_view routing_key);

  OnSettled on_settled_;
  std::string message_id_prefix_;
  std::uint64_t first_tag_ = 1;
  std::deque<Sent> sent_;  // from the first unsettled message on
  std::size_t unsettled_ = 0;
};

}  // namespace amqp
