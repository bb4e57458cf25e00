#pragma once

// InjectedFaults: which faults occur in one world, and how often they have occurred.
//
// Each seed has its own mixture: about half of the kinds do not occur at all, the others seldom or
// often. This finds bugs that other faults would hide, or that show only if a fault occurs alone.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "random.h"

namespace inventory::simulation {

enum class InjectedFault : std::uint8_t {
  // Events in the life of a process, the broker or the database: planned by the world.
  process_killed,
  process_stopped,   // SIGTERM; another process starts
  process_replaced,  // another process starts before this one is stopped
  consuming_lost,
  publishing_lost,
  consumer_cancelled,
  broker_down,
  memory_alarm,
  own_queue_deleted,
  client_left,  // its reply queue is deleted
  database_down,
  // Bad clients and rows: planned, for a while or until the end.
  queue_silent,     // neither takes nor rejects what is published to it
  queue_full,       // rejects what is published to it
  address_harmful,  // publishing to it makes the broker close the connection (541)
  row_failing,      // a trigger fails for its product
  row_locked,       // another session keeps it locked
  items_failing,    // a trigger fails for some items
  // The events exchange, for a while.
  exchange_deleted,  // publishing to it closes the channel (404)
  exchange_refused,  // publishing to it is forbidden (403)
  listener_silent,   // a queue that is bound to it
  listener_full,
  // Faults of single operations.
  connect_failed,
  publish_nacked,
  confirm_missing,
  confirm_late,
  request_lost,  // the client's connection breaks before or after the broker has the request
  database_connect_failed,
  database_lost,
  database_conflict,
  database_unavailable,
  database_slow,
  commit_in_doubt,
  content_undecodable,
  killed_in_sweep,  // a process, between finding, publishing and deciding an expiry
};

inline constexpr std::array kFaultNames{
    std::string_view("process killed"),       std::string_view("process stopped"),
    std::string_view("process replaced"),     std::string_view("consuming link lost"),
    std::string_view("publishing link lost"), std::string_view("consumer cancelled"),
    std::string_view("broker down"),          std::string_view("memory alarm"),
    std::string_view("own queue deleted"),    std::string_view("client left"),
    std::string_view("database down"),        std::string_view("queue silent"),
    std::string_view("queue full"),           std::string_view("address harmful"),
    std::string_view("row failing"),          std::string_view("row locked"),
    std::string_view("items failing"),        std::string_view("exchange deleted"),
    std::string_view("exchange refused"),     std::string_view("listener silent"),
    std::string_view("listener full"),        std::string_view("connecting failed"),
    std::string_view("publish nacked"),       std::string_view("confirm missing"),
    std::string_view("confirm late"),         std::string_view("request lost"),
    std::string_view("database refused"),     std::string_view("database link lost"),
    std::string_view("database conflict"),    std::string_view("database unavailable"),
    std::string_view("database slow"),        std::string_view("commit in doubt"),
    std::string_view("content undecodable"),  std::string_view("killed in a sweep"),
};
inline constexpr std::size_t kFaultKinds = kFaultNames.size();
inline constexpr std::size_t kPlannedFaultKinds =
    static_cast<std::size_t>(InjectedFault::listener_full) + 1;

// Which faults a world has.
enum class Weather : std::uint8_t {
  clean,   // none; processes may be stopped and started properly
  calm,    // only bad clients, bad rows and bad content
  stormy,  // everything
};

constexpr bool is_order(InjectedFault fault) {
  return fault == InjectedFault::process_stopped || fault == InjectedFault::process_replaced;
}
constexpr bool is_bad_thing(InjectedFault fault) {
  return (fault >= InjectedFault::queue_silent && fault <= InjectedFault::listener_full) ||
         fault == InjectedFault::content_undecodable;
}

using FaultCounts = std::array<std::uint64_t, kFaultKinds>;

class InjectedFaults {
 public:
  InjectedFaults(Random& random, Weather weather) : random_(random), weather_(weather) {
    for (std::size_t kind = 0; kind < kFaultKinds; ++kind) {
      if (random.chance(500) && may_occur(static_cast<InjectedFault>(kind))) {
        per_thousand_[kind] = std::array{5U, 20U, 80U, 250U}[random.below(4)];
      }
    }
  }

  // Whether bad clients or rows may occur.
  bool has_bad_things() const {
    for (std::size_t kind = 0; kind < kFaultKinds; ++kind) {
      if (per_thousand_[kind] > 0 && is_bad_thing(static_cast<InjectedFault>(kind))) return true;
    }
    return false;
  }

  // Whether an operation fails in this way now.
  bool strikes(InjectedFault fault) {
    const auto kind = static_cast<std::size_t>(fault);
    if (!is_active_ || per_thousand_[kind] == 0 || !random_.chance(per_thousand_[kind])) {
      return false;
    }
    ++counts_[kind];
    return true;
  }

  // Draws the next planned fault by weight; kFaultKinds if there is none.
  std::size_t next_planned() {
    std::uint64_t sum = 0;
    for (std::size_t kind = 0; kind < kPlannedFaultKinds; ++kind) {
      sum += per_thousand_[kind];
    }
    if (sum == 0 || !is_active_) {
      return kFaultKinds;
    }
    auto left = random_.below(sum);
    std::size_t kind = 0;
    while (left >= per_thousand_[kind]) {
      left -= per_thousand_[kind++];
    }
    ++counts_[kind];
    return kind;
  }

  void end() { is_active_ = false; }
  bool is_clean() const { return weather_ == Weather::clean; }
  bool is_calm() const { return weather_ != Weather::stormy; }
  const FaultCounts& counts() const { return counts_; }

 private:
  bool may_occur(InjectedFault fault) const {
    return weather_ == Weather::stormy || is_order(fault) ||
           (weather_ == Weather::calm && is_bad_thing(fault));
  }

  Random& random_;
  Weather weather_;
  bool is_active_ = true;
  std::array<unsigned, kFaultKinds> per_thousand_{};
  FaultCounts counts_{};
};

}  // namespace inventory::simulation
