#include "cli/commands/migrate.h"

#include <exception>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "config/database_url.h"
#include "server/migration_text.h"
#include "server/open_store.h"

namespace inventory::cli {
namespace {

store::Task<int> carry_out(store::Store& store, const config::Configuration& configuration,
                           bool dry_run) {
  const auto plan = co_await store.plan_migration();
  if (!plan) {
    spdlog::error("{}", plan.error().what);
    co_return kExitFailed;
  }
  const auto objections = server::objections(*plan, configuration.require_stock);
  if (dry_run) {
    fmt::print("{}\n", server::describe(*plan));
    for (const auto& objection : objections) fmt::print("{}\n", objection);
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

}  // namespace

int migrate(const config::Configuration& configuration, const MigrateCommand& command) {
  boost::asio::io_context context{1};
  const auto store = server::open_store(context.get_executor(), configuration.database);
  int exit_status = kExitFailed;
  boost::asio::co_spawn(context, carry_out(*store, configuration, command.dry_run),
                        [&](const std::exception_ptr& error, int status) {
                          if (error) std::rethrow_exception(error);
                          exit_status = status;
                        });
  context.run();
  return exit_status;
}

}  // namespace inventory::cli
