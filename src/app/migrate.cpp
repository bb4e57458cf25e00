#include "app/migrate.h"

#include <exception>
#include <variant>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "app/credentials.h"
#include "app/open_store.h"

namespace inventory::app {
namespace {

using Tables = store::MigrationPlan::Tables;

// Where tables are made, others are only a hint.
std::string look_alikes(const store::MigrationPlan& plan) {
  if (plan.look_alikes.empty()) return "";
  return fmt::format(
      "; there are others that look like it: {}; search_path says where it is looked "
      "for, and it is spelled in small letters",
      fmt::join(plan.look_alikes, ", "));
}

store::Task<int> carry_out(store::Store& store, const Configuration& configuration, bool dry_run) {
  const auto plan = co_await store.plan_migration();
  if (!plan) {
    spdlog::error("{}", plan.error().what);
    co_return kExitFailed;
  }
  const auto objections = app::objections(*plan, configuration.require_stock);
  if (dry_run) {
    fmt::print("{}\n", describe(*plan));
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
  if (*migrated > 0) spdlog::info("{}", describe(*plan));
  spdlog::info("{}: applied {} migration(s)", display(configuration.database), *migrated);
  co_return kExitDone;
}

}  // namespace

std::string display(const DatabaseUrl& database) {
  if (const auto* sqlite = std::get_if<SqlitePath>(&database)) {
    return "sqlite:" + sqlite->path;
  }
  return mask_credentials(std::get<PostgresUrl>(database).url);
}

std::string describe(const store::MigrationPlan& plan) {
  switch (plan.tables) {
    case Tables::made:
      return fmt::format("{}: there is no table inventory, so one without any item is made{}",
                         plan.where, look_alikes(plan));
    case Tables::adopted:
      return fmt::format("{}: the table inventory is adopted with its rows", plan.where);
    case Tables::current:
      break;
  }
  return plan.missing == 0 ? fmt::format("{}: up to date", plan.where)
                           : fmt::format("{}: {} migration(s) to apply", plan.where, plan.missing);
}

std::vector<std::string> objections(const store::MigrationPlan& plan, bool require_stock) {
  std::vector<std::string> lines;
  lines.reserve(plan.obstacles.size() + 1);
  for (const auto& obstacle : plan.obstacles) {
    lines.push_back(
        fmt::format("{}: the table inventory cannot be adopted: {}", plan.where, obstacle));
  }
  if (require_stock && plan.tables == Tables::made) {
    lines.push_back(
        fmt::format("{}: --require-stock, and there is no table inventory{}; to make it "
                    "without any item: inventory-service migrate --require-stock=false",
                    plan.where, look_alikes(plan)));
  }
  return lines;
}

int migrate(const Configuration& configuration, const MigrateCommand& command) {
  boost::asio::io_context context{1};
  const auto store = open_store(context.get_executor(), configuration.database);
  int exit_status = kExitFailed;
  boost::asio::co_spawn(context, carry_out(*store, configuration, command.dry_run),
                        [&](const std::exception_ptr& error, int status) {
                          if (error) std::rethrow_exception(error);
                          exit_status = status;
                        });
  context.run();
  return exit_status;
}

}  // namespace inventory::app
