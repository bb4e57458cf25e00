#pragma once

// Environment: what all parts of one world share: time, random numbers, faults, checks, the trace.

#include <cstdint>
#include <functional>
#include <string_view>

#include <fmt/format.h>

#include "checks.h"
#include "injected_faults.h"
#include "random.h"
#include "scheduler.h"
#include "tables.h"

namespace inventory::simulation {

struct Environment {
  // In two of eight seeds fewer faults occur, and the checks promise more.
  explicit Environment(std::uint64_t seed, bool is_traced)
      : random(seed),
        faults(random, seed % 8 == 0   ? Weather::clean
                       : seed % 8 == 4 ? Weather::calm
                                       : Weather::stormy),
        checks(tables, scheduler, faults.is_clean(), faults.is_calm()),
        traces(is_traced) {}

  // How long an operation takes: mostly around a millisecond, now and then much longer. In a clean
  // or calm world never so long that a timeout expires.
  Time latency() {
    const std::uint64_t longest = faults.is_calm() ? 20'000 : 2'000'000;
    return Time(random.chance(20) ? random.between(1, longest) : random.between(1, 2'000));
  }

  template <class... Arguments>
  void trace(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
    if (traces) {
      fmt::print(stderr, "{:12.6f} {}\n", static_cast<double>(scheduler.now().count()) / 1e6,
                 fmt::format(text, std::forward<Arguments>(arguments)...));
    }
  }

  Random random;
  InjectedFaults faults;
  Scheduler scheduler;
  Tables tables;
  Checks checks;
  std::function<void(const LifePointer&)> kill = {};  // has the world kill a process soon
  const bool traces;
};

}  // namespace inventory::simulation
