#include "amqp/confirms.h"

#include <cassert>
#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace amqp {

std::string Confirms::next_message_id() const {
  return fmt::format("{}{}", message_id_prefix_, first_tag_ + sent_.size());
}

void Confirms::sent(std::uint64_t token, const Message& message) {
  ++unsettled_;
  sent_.push_back({.token = token,
                   .routing_key = message.routing_key,
                   .message_id = message.properties.message_id,
                   .has_given_id = !message.properties.message_id && !message.keeps_properties});
}

bool Confirms::confirm(std::uint64_t delivery_tag, bool multiple, Settlement settlement) {
  const std::uint64_t last_tag = first_tag_ + sent_.size() - 1;
  if (delivery_tag > last_tag) return false;
  if (multiple) {
    // 0 with multiple: all messages so far (AMQP 0-9-1, 1.8.3.13).
    const std::uint64_t last = delivery_tag == 0 ? last_tag : delivery_tag;
    for (std::size_t i = 0; i < sent_.size() && first_tag_ + i <= last; ++i) {
      settle(sent_[i], settlement);
    }
  } else if (delivery_tag == 0) {
    return false;
  } else if (delivery_tag >= first_tag_) {
    settle(sent_[delivery_tag - first_tag_], settlement);
  }
  while (!sent_.empty() && sent_.front().is_settled) {
    sent_.pop_front();
    ++first_tag_;
  }
  assert(unsettled_ <= sent_.size() && (unsettled_ > 0) == !sent_.empty());
  return true;
}

void Confirms::settle(Sent& sent, Settlement settlement) {
  if (sent.is_settled) return;
  assert(unsettled_ > 0);
  sent.is_settled = true;
  --unsettled_;
  const bool was_returned = sent.is_returned && settlement == Settlement::confirmed;
  on_settled_(sent.token, was_returned ? Settlement::returned : settlement);
}

void Confirms::returned(std::string_view message_id, std::string_view routing_key) {
  if (Sent* const sent = find(message_id, routing_key)) {
    sent->is_returned = true;
    return;
  }
  for (Sent& sent : sent_) {
    const bool has_this_id =
        sent.message_id ? *sent.message_id == message_id : !sent.has_given_id && message_id.empty();
    if (!sent.is_settled && sent.routing_key == routing_key && has_this_id) sent.is_returned = true;
  }
}

const std::string* Confirms::first_unsettled() const {
  return sent_.empty() ? nullptr : &sent_.front().routing_key;
}

Confirms::Sent* Confirms::find(std::string_view message_id, std::string_view routing_key) {
  if (message_id.starts_with(message_id_prefix_)) {
    const auto digits = message_id.substr(message_id_prefix_.size());
    std::uint64_t tag = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), tag);
    if (tag >= first_tag_ && tag < first_tag_ + sent_.size()) {
      Sent& sent = sent_[tag - first_tag_];
      if (sent.has_given_id && sent.routing_key == routing_key) return &sent;
    }  // else a client has used a reply's id for its own request
  }
  return nullptr;
}

}  // namespace amqp
