#include "cli/commands/route.h"

#include <utility>

#include "server/route.h"

namespace inventory::cli {

Command route_command() {
  return {
      .name = "route",
      .summary = "Pass requests to the queues of their partitions until SIGTERM or SIGINT",
      .description =
          "For clients that do not know in which partition a product is: takes requests from the\n"
          "undivided queues, and passes each unchanged to the queue of its partition. It needs no\n"
          "database. Several routers may run.\n\n"
          "Example:\n"
          "  inventory-service route --partition all/16\n\n"
          "Exit codes: 0 stopped when asked to; 1 stopped by a second signal, or the time of\n"
          "--shutdown-budget was over; 2 wrong command line or setting; 3 failed.",
      .prepare = [](const Arguments&, const config::Configuration& configuration) -> Prepared {
        if (auto may = server::check_for_route(configuration); !may) {
          return std::unexpected(std::move(may.error()));
        }
        auto token = config::read_http_token(configuration.http_token_file);
        if (!token) return std::unexpected(std::move(token.error()));
        return [token = *std::move(token)](const config::Configuration& in_force) {
          return server::route(in_force, token);
        };
      },
  };
}

}  // namespace inventory::cli
