#pragma once

// Random: the only source of random numbers in a simulation. The same seed gives the same numbers
// with every standard library: the standard specifies std::mt19937_64 exactly, but not its
// distributions.

#include <cstddef>
#include <cstdint>
#include <random>

namespace inventory::simulation {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  // 0 to limit - 1. The bias is below 2^-40 for the limits used here.
  std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }

  std::uint64_t between(std::uint64_t least, std::uint64_t most) {
    return least + below(most - least + 1);
  }

  bool chance(std::uint64_t per_thousand) { return below(1'000) < per_thousand; }

  template <class Container>
  auto& pick(Container& from) {
    return from[static_cast<std::size_t>(below(from.size()))];
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace inventory::simulation
