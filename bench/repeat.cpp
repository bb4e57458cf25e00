// bench-repeat: repeats one workload, for profilers.
//
//   bench-repeat WORKLOAD BATCH TIMES
//   bench-repeat                        prints the workloads' names

#include <algorithm>
#include <cstdio>
#include <exception>
#include <span>
#include <string>

#include <fmt/format.h>

#include "workloads.h"

int main(int argc, char** argv) {
  try {
    const std::span arguments(argv, static_cast<std::size_t>(argc));
    const auto all = inventory::bench::workloads();
    if (arguments.size() != 4) {
      for (const auto& workload : all) {
        fmt::print("{}\n", workload.name);
      }
      return arguments.size() == 1 ? 0 : 2;
    }
    const auto found =
        std::ranges::find(all, std::string(arguments[1]), &inventory::bench::Workload::name);
    if (found == all.end()) {
      fmt::print(stderr, "bench-repeat: there is no workload {}\n", arguments[1]);
      return 2;
    }
    const auto work = found->prepare(std::stoul(arguments[2]));
    for (auto left = std::stoul(arguments[3]); left > 0; --left) {
      work();
    }
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench-repeat: {}\n", error.what());
    return 1;
  }
}
