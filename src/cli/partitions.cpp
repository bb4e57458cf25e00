#include "cli/partitions.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "cli/exit_status.h"

namespace inventory::cli {

int for_each_partition(const config::Configuration& configuration,
                       const std::function<int(const config::Configuration&)>& run) {
  const auto each = config::in_each_partition(configuration);
  int worst = kExitDone;
  for (const config::Configuration& one : each) {
    if (const auto partition = config::partition_of(one); partition && each.size() > 1) {
      std::fflush(stdout);
      fmt::print(stderr, "inventory-service: {}\n", store::display(*partition));
    }
    worst = std::max(worst, run(one));
  }
  return worst;
}

}  // namespace inventory::cli
