#pragma once

// Acknowledger: tells which deliveries to acknowledge. Requests are settled in any order: one that
// waits, for its reply or for the database, does not hold up those behind it. Pure.
//
// Invariants:
//   1. A delivery is acknowledged only after it was settled, and once.
//   2. While they are settled in the order in which they came, one acknowledgement with `multiple`
//      covers all settled deliveries.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace inventory::service {

class Acknowledger {
 public:
  struct Due {
    std::optional<std::uint64_t> up_to;  // with `multiple`
    std::vector<std::uint64_t> alone;    // beyond it, in order
  };

  // Delivery tags must increase.
  void received(std::uint64_t delivery_tag);
  void settled(std::uint64_t delivery_tag);

  // What was settled since the last call.
  Due take();

  // Received but not settled.
  std::size_t in_hand() const { return in_hand_; }

  // For a new link: nothing is in hand.
  void reset();

 private:
  enum class State : std::uint8_t { in_hand, settled, acknowledged };
  struct Delivery {
    std::uint64_t tag;
    State state = State::in_hand;
  };

  // Null if it was not received on this link, or is acknowledged.
  Delivery* find(std::uint64_t delivery_tag);

  std::deque<Delivery> deliveries_;     // from the first in hand, by tag
  std::vector<std::uint64_t> settled_;  // since take()
  std::size_t in_hand_ = 0;
};

}  // namespace inventory::service
