#include "cli/exit_status.h"

#include <cstdio>

#include <fmt/format.h>

#include "terminal/printable.h"

namespace inventory::cli {

int report_failure(std::string_view why) {
  fmt::print(stderr, "inventory-service: {}\n", terminal::printable(why));
  return kExitFailed;
}

}  // namespace inventory::cli
