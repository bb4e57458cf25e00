#include "amqp/confirms.h"

#include <charconv>

#include <fmt/format.h>

namespace amqp {

void Confirms::begin(std::span<const Message> messages) {
  messages_ = messages;
  settlements_.assign(messages.size(), Settlement::too_large);
  sent_.reserve(messages.size());
}

void Confirms::end() {
  messages_ = {};
  sent_.clear();
  first_tag_ = next_tag_;
  first_unsettled_ = 0;
  unsettled_ = 0;
}

std::string Confirms::next_message_id() const {
  return fmt::format("{}{}", message_id_prefix_, next_tag_);
}

void Confirms::sent(std::size_t index) {
  ++next_tag_;
  ++unsettled_;
  sent_.push_back({.message = index});
}

bool Confirms::confirm(std::uint64_t delivery_tag, bool multiple, Settlement settlement) {
  if (delivery_tag >= next_tag_) return false;
  if (multiple) {
    // 0 with multiple: all so far (AMQP 0-9-1, 1.8.3.13).
    const std::uint64_t last = delivery_tag == 0 ? next_tag_ - 1 : delivery_tag;
    for (std::size_t i = first_unsettled_; i < sent_.size() && first_tag_ + i <= last; ++i) {
      settle(sent_[i], settlement);
    }
  } else if (delivery_tag == 0) {
    return false;
  } else if (delivery_tag >= first_tag_) {
    settle(sent_[delivery_tag - first_tag_], settlement);
  }
  while (first_unsettled_ < sent_.size() && sent_[first_unsettled_].is_settled) ++first_unsettled_;
  return true;
}

void Confirms::settle(Sent& sent, Settlement settlement) {
  if (sent.is_settled) return;
  sent.is_settled = true;
  --unsettled_;
  const bool was_returned = sent.is_returned && settlement == Settlement::confirmed;
  settlements_[sent.message] = was_returned ? Settlement::returned : settlement;
}

void Confirms::returned(std::string_view message_id, std::string_view routing_key) {
  Sent* const sent = find(message_id, routing_key);
  if (sent != nullptr) sent->is_returned = true;
}

Confirms::Sent* Confirms::find(std::string_view message_id, std::string_view routing_key) {
  if (message_id.starts_with(message_id_prefix_)) {
    const auto digits = message_id.substr(message_id_prefix_.size());
    std::uint64_t tag = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), tag);
    if (tag >= first_tag_ && tag < first_tag_ + sent_.size()) {
      Sent& sent = sent_[tag - first_tag_];
      const Message& message = messages_[sent.message];
      const bool is_ours = !message.properties.message_id && !message.keeps_properties;
      if (is_ours && message.routing_key == routing_key) return &sent;
    }  // else a client has taken the id of a reply for its own request
  }
  for (std::size_t i = first_unsettled_; i < sent_.size(); ++i) {
    Sent& sent = sent_[i];
    const Message& message = messages_[sent.message];
    const auto& id = message.properties.message_id;
    const bool has_this_id =
        id ? *id == message_id : message.keeps_properties && message_id.empty();
    if (!sent.is_settled && !sent.is_returned && message.routing_key == routing_key &&
        has_this_id) {
      return &sent;
    }
  }
  return nullptr;
}

}  // namespace amqp
