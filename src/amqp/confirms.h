#pragma once

// Confirms: which messages of a batch the broker has answered for, and how (RabbitMQ's publisher
// confirms, https://www.rabbitmq.com/docs/confirms). Pure: no I/O, no time.
//
// Invariants:
//   1. A message is settled only by its own confirm: the broker's confirms come out of order, and
//      one without `multiple` says nothing of lower tags.
//   2. Delivery tags count from 1, over all batches. A confirm for an earlier batch changes
//   nothing.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "amqp/message.h"

namespace amqp {

enum class Settlement {
  confirmed,  // the broker has taken responsibility (basic.ack)
  returned,   // there is no such queue (basic.return, then basic.ack)
  rejected,   // the broker could not take it (basic.nack)
  too_large,  // its properties do not fit in a frame; it was not sent
};

class Confirms {
 public:
  // Begins a batch, in which nothing is sent yet. The messages stay valid until end().
  void begin(std::span<const Message> messages);
  void end();

  // What messages are given as message_id which have none begins with this. Unique in the world.
  void set_message_id_prefix(std::string prefix) { message_id_prefix_ = std::move(prefix); }
  std::string next_message_id() const;

  // The message at this place of the batch was sent, with the next delivery tag.
  void sent(std::size_t index);

  // basic.ack and basic.nack. False: a delivery tag that was never given.
  bool confirm(std::uint64_t delivery_tag, bool multiple, Settlement settlement);

  // basic.return, which bears no delivery tag and comes before the message's own ack. Of messages
  // that are alike in both, the first counts. message_id: empty if it has none.
  void returned(std::string_view message_id, std::string_view routing_key);

  std::size_t unsettled() const { return unsettled_; }

  // nullptr if there is none.
  const Message* first_unsettled() const {
    return unsettled_ == 0 ? nullptr : &messages_[sent_[first_unsettled_].message];
  }

  // One a message, in their order: too_large for those that were not sent.
  std::vector<Settlement> take() { return std::move(settlements_); }

 private:
  // One message with a delivery tag: that of sent_[i] is first_tag_ + i.
  struct Sent {
    std::size_t message;
    bool is_settled = false;
    bool is_returned = false;
  };

  void settle(Sent& sent, Settlement settlement);
  Sent* find(std::string_view message_id, std::string_view routing_key);

  std::string message_id_prefix_;
  std::uint64_t next_tag_ = 1;
  std::span<const Message> messages_;
  std::vector<Settlement> settlements_;
  std::uint64_t first_tag_ = 1;
  std::vector<Sent> sent_;
  std::size_t first_unsettled_ = 0;  // all below it are settled
  std::size_t unsettled_ = 0;
};

}  // namespace amqp
