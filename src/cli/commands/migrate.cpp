#include "cli/commands/migrate.h"

#include <exception>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cli/arguments.h"
#include "cli/exit_status.h"
#include "cli/partitions.h"
#include "config/database_url.h"
#include "server/migration_text.h"
#include "server/open_store.h"
#include "terminal/printable.h"

namespace inventory::cli {
namespace {

struct MigrateOptions {
  bool dry_run = false;
};

store::Task<int> carry_out(store::Store& store, const config::Configuration& configuration,
                           bool dry_run) {
  const auto plan = co_await store.plan_migration();
  if (!plan) {
    spdlog::error("{}", plan.error().what);
    co_return kExitFailed;
  }
  const auto objections = server::objections(*plan, configuration.require_stock);
  if (dry_run) {
    fmt::print("{}\n", terminal::printable(server::describe(*plan)));
    for (const auto& objection : objections) fmt::print("{}\n", terminal::printable(objection));
    co_return objections.empty() ? kExitDone : kExitNo;
  }
  for (const auto& objection : objections) spdlog::error("{}", objection);
  if (!objections.empty()) co_return kExitFailed;
  const auto migrated = co_await store.migrate();
  if (!migrated) {
    spdlog::error("{}", migrated.error().what);
    co_return kExitFailed;
  }
  if (*migrated > 0) spdlog::info("{}", server::describe(*plan));
  spdlog::info("{}: applied {} migration(s)", config::display(configuration.database), *migrated);
  co_return kExitDone;
}

// Brings the database's schema up to date, or only says what that would be. Returns the exit
// status: kExitDone; kExitNo of a dry run where something is in the way; kExitFailed with the
// reason logged.
int migrate(const config::Configuration& configuration, const MigrateOptions& options) {
  boost::asio::io_context context{1};
  const auto store =
      server::open_store(context.get_executor(), configuration.database, owner_of(configuration));
  int exit_status = kExitFailed;
  boost::asio::co_spawn(context, carry_out(*store, configuration, options.dry_run),
                        [&](const std::exception_ptr& error, int status) {
                          if (error) std::rethrow_exception(error);
                          exit_status = status;
                        });
  context.run();
  return exit_status;
}

int migrate_each(const config::Configuration& configuration, const MigrateOptions& options) {
  return for_each_partition(
      configuration, [&](const config::Configuration& one) { return migrate(one, options); });
}

}  // namespace

Command migrate_command() {
  return {
      .name = "migrate",
      .summary = "Bring the database's schema up to date",
      .description =
          "Looks first: what keeps a table of another program from being adopted is said, a line "
          "each, and\nthen nothing is changed.\n\n"
          "Examples:\n  inventory-service migrate --database-url sqlite:inventory.db\n"
          "  inventory-service migrate --dry-run\n\n"
          "Exit codes: 0 up to date, or would be; 1 of --dry-run: something is in the way; 2 wrong "
          "command\nline or setting; 3 failed.",
      .options = {{"--dry-run", "", "print what it would do, and do nothing"}},
      .prepare = [](const Arguments& given, const config::Configuration&) -> Prepared {
        return prepared<MigrateOptions>(MigrateOptions{given.flag("--dry-run")}, migrate_each);
      },
  };
}

}  // namespace inventory::cli
