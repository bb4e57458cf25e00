#pragma once

// Faults: what goes wrong in one world, and how often it did.
//
// Each seed has its own mixture: about half of the kinds do not occur at all, the others seldom or
// often. Faults that hide others, or that only show alone, are met that way.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "random.h"

namespace inventory::simulation {

enum class Fault : std::uint8_t {
  // Events in the life of a process, the broker or the database: planned by the world.
  process_killed,
  process_stopped,   // SIGTERM; another begins
  process_replaced,  // another begins before this one is stopped
  consuming_lost,
  publishing_lost,
  consumer_cancelled,
  broker_down,
  memory_alarm,
  own_queue_deleted,
  client_left,  // its reply queue goes with it
  database_down,
  // Faults of single operations.
  connect_failed,
  publish_nacked,
  confirm_missing,
  confirm_late,
  request_lost,  // the client's connection breaks before or after the broker has its request
  database_connect_failed,
  database_lost,
  database_conflict,
  database_unavailable,
  database_slow,
  commit_in_doubt,
};

inline constexpr std::array kFaultNames{
    std::string_view("process killed"),       std::string_view("process stopped"),
    std::string_view("process replaced"),     std::string_view("consuming link lost"),
    std::string_view("publishing link lost"), std::string_view("consumer cancelled"),
    std::string_view("broker down"),          std::string_view("memory alarm"),
    std::string_view("own queue deleted"),    std::string_view("client left"),
    std::string_view("database down"),        std::string_view("connecting failed"),
    std::string_view("publish nacked"),       std::string_view("confirm missing"),
    std::string_view("confirm late"),         std::string_view("request lost"),
    std::string_view("database refused"),     std::string_view("database link lost"),
    std::string_view("database conflict"),    std::string_view("database unavailable"),
    std::string_view("database slow"),        std::string_view("commit in doubt"),
};
inline constexpr std::size_t kFaultKinds = kFaultNames.size();
inline constexpr std::size_t kPlannedFaultKinds =
    static_cast<std::size_t>(Fault::database_down) + 1;

using FaultCounts = std::array<std::uint64_t, kFaultKinds>;

class Faults {
 public:
  // In a clean world nothing fails; processes may be stopped and started in order.
  Faults(Random& random, bool is_clean) : random_(random), is_clean_(is_clean) {
    for (std::size_t kind = 0; kind < kFaultKinds; ++kind) {
      const bool is_order = kind == static_cast<std::size_t>(Fault::process_stopped) ||
                            kind == static_cast<std::size_t>(Fault::process_replaced);
      if (random.chance(500) && (!is_clean || is_order)) {
        per_thousand_[kind] = std::array{5U, 20U, 80U, 250U}[random.below(4)];
      }
    }
  }

  // Whether an operation fails in this way now.
  bool strikes(Fault fault) {
    const auto kind = static_cast<std::size_t>(fault);
    if (!is_active_ || per_thousand_[kind] == 0 || !random_.chance(per_thousand_[kind])) {
      return false;
    }
    ++counts_[kind];
    return true;
  }

  // Which of the planned faults comes next, by their weights; kFaultKinds if there is none.
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
  bool is_clean() const { return is_clean_; }
  const FaultCounts& counts() const { return counts_; }

 private:
  Random& random_;
  bool is_clean_;
  bool is_active_ = true;
  std::array<unsigned, kFaultKinds> per_thousand_{};
  FaultCounts counts_{};
};

}  // namespace inventory::simulation
