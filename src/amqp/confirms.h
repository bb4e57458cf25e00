#pragma once

// Confirms: which of the messages that were sent the broker has answered for, and how (RabbitMQ's
// publisher confirms, https://www.rabbitmq.com/docs/confirms). Pure: no I/O, no time.
//
// Invariants:
//   1. A message is settled only by its own confirm: the broker's confirms come out of order, and
//      one without `multiple` says nothing of lower tags.
//   2. Delivery tags count from 1, for ever. Each message is told of once.

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

// What becomes of a message, by the token that its sender gave it.
using OnSettled = std::function<void(std::uint64_t token, Settlement settlement)>;

class Confirms {
 public:
  explicit Confirms(OnSettled on_settled) : on_settled_(std::move(on_settled)) {}

  // What messages are given as message_id which have none begins with this. Unique in the world.
  void set_message_id_prefix(std::string prefix) { message_id_prefix_ = std::move(prefix); }
  std::string next_message_id() const;

  // The message was sent, with the next delivery tag.
  void sent(std::uint64_t token, const Message& message);

  // basic.ack and basic.nack. False: a delivery tag that was never given.
  bool confirm(std::uint64_t delivery_tag, bool multiple, Settlement settlement);

  // basic.return, which bears no delivery tag and comes before the message's own ack. Messages that
  // are alike in both all count as returned: the queue is gone, and the first of them may have no
  // answer any more. message_id: empty if it has none.
  void returned(std::string_view message_id, std::string_view routing_key);

  std::size_t unsettled() const { return unsettled_; }

  // The queue of the first message without an answer; nullptr if there is none.
  const std::string* first_unsettled() const;

 private:
  // One message with a delivery tag: that of sent_[i] is first_tag_ + i.
  struct Sent {
    std::uint64_t token;
    std::string routing_key;
    std::optional<std::string> message_id;  // its own; not one that it was given
    bool has_given_id;
    bool is_settled = false;
    bool is_returned = false;
  };

  void settle(Sent& sent, Settlement settlement);
  Sent* find(std::string_view message_id, std::string_view routing_key);

  OnSettled on_settled_;
  std::string message_id_prefix_;
  std::uint64_t first_tag_ = 1;
  std::deque<Sent> sent_;  // from the first that is not settled
  std::size_t unsettled_ = 0;
};

}  // namespace amqp
