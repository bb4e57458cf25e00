#include "service/acknowledger.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace inventory::service {

void Acknowledger::received(std::uint64_t delivery_tag) {
  if (!deliveries_.empty() && delivery_tag <= deliveries_.back().tag) {
    std::abort();  // a bug: tags of two links are mixed
  }
  deliveries_.push_back({delivery_tag});
  ++in_hand_;
}

void Acknowledger::settled(std::uint64_t delivery_tag) {
  Delivery* const found = find(delivery_tag);
  if (found == nullptr || found->state != State::in_hand) {
    std::abort();  // a bug: it was not received, or is settled twice
  }
  found->state = State::settled;
  settled_.push_back(delivery_tag);
  --in_hand_;
}

Acknowledger::Due Acknowledger::take() {
  Due due;
  while (!deliveries_.empty() && deliveries_.front().state != State::in_hand) {
    // A broker refuses `multiple` up to a tag that was acknowledged before.
    if (deliveries_.front().state == State::settled) due.up_to = deliveries_.front().tag;
    deliveries_.pop_front();
  }
  for (const std::uint64_t tag : std::exchange(settled_, {})) {
    if (deliveries_.empty() || tag < deliveries_.front().tag) continue;  // covered
    find(tag)->state = State::acknowledged;
    due.alone.push_back(tag);
  }
  std::ranges::sort(due.alone);
  return due;
}

Acknowledger::Delivery* Acknowledger::find(std::uint64_t delivery_tag) {
  if (deliveries_.empty() || delivery_tag < deliveries_.front().tag) return nullptr;
  // A broker counts tags without gaps (AMQP 0-9-1, 1.1: delivery-tag), so this usually finds it.
  const std::uint64_t place = delivery_tag - deliveries_.front().tag;
  if (place < deliveries_.size() && deliveries_[place].tag == delivery_tag) {
    return &deliveries_[place];
  }
  const auto found = std::ranges::lower_bound(deliveries_, delivery_tag, {}, &Delivery::tag);
  return found == deliveries_.end() || found->tag != delivery_tag ? nullptr : &*found;
}

void Acknowledger::reset() { *this = {}; }

}  // namespace inventory::service
