#include "cli/commands/serve.h"

#include <utility>

#include <fmt/format.h>

#include "server/serve.h"

namespace inventory::cli {

Command serve_command() {
  return {
      .name = "serve",
      .summary = "Decide orders and other requests until SIGTERM or SIGINT",
      .description =
          "Brings the database's schema up to date first.\n\n"
          "Example:\n"
          "  inventory-service serve --database-url sqlite:inventory.db\n\n"
          "Exit codes: 0 stopped when asked to; 1 stopped by a second signal, or the time of\n"
          "--shutdown-budget was over; 2 wrong command line or setting; 3 failed.",
      .prepare = [](const Arguments&, const config::Configuration& configuration) -> Prepared {
        if (configuration.partitions && !configuration.partitions->number) {
          return std::unexpected(fmt::format(
              "--partition all/{0} is of several; serve takes one of them, such as 0/{0}",
              configuration.partitions->count));
        }
        auto token = config::read_http_token(configuration.http_token_file);
        if (!token) return std::unexpected(std::move(token.error()));
        return [token = *std::move(token)](const config::Configuration& in_force) {
          return server::serve(in_force, token);
        };
      },
  };
}

}  // namespace inventory::cli
