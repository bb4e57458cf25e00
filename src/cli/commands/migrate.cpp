#include "cli/commands/migrate.h"

#include <exception>
#include <expected>
#include <string>
#include <variant>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cli/arguments.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/partitions.h"
#include "config/database_url.h"
#include "server/migration_text.h"
#include "server/open_store.h"
#include "store/postgres/divider.h"
#include "terminal/printable.h"

namespace inventory::cli {
namespace {

struct MigrateOptions {
  bool dry_run = false;
  bool from_undivided = false;
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

// Brings the database's schema up to date, or only says what that would change. Returns the exit
// status: kExitDone; kExitNo if a dry run found an obstacle; kExitFailed with the reason logged.
int migrate(const config::Configuration& configuration, const store::TablesOwner& owner,
            const MigrateOptions& options) {
  boost::asio::io_context context{1};
  const auto store = server::open_store(context.get_executor(), configuration.database, owner);
  int exit_status = kExitFailed;
  boost::asio::co_spawn(context, carry_out(*store, configuration, options.dry_run),
                        [&](const std::exception_ptr& error, int status) {
                          if (error) std::rethrow_exception(error);
                          exit_status = status;
                        });
  context.run();
  return exit_status;
}

const std::string& schema_of(const config::Configuration& one) {
  return std::get<config::PostgresUrl>(one.database).schema;
}

domain::Partition partition_in(const config::Configuration& one) {
  return config::partition_of(one).value_or(domain::Partition());
}

// Whether each partition can be filled, before anything is changed.
int check_partitions(store::postgres::Divider& divider,
                     const config::Configuration& configuration) {
  int status = kExitDone;
  for (const config::Configuration& one : config::in_each_partition(configuration)) {
    const auto state = divider.look(schema_of(one), partition_in(one));
    if (!state) status = report_failure(state.error().what);
  }
  return status;
}

// Makes a partition that is missing, and takes one that is empty. One that has its rows needs no
// more than its migrations.
int make_to_be_filled(store::postgres::Divider& divider, const config::Configuration& one,
                      const MigrateOptions& options) {
  using enum store::postgres::PartitionState;
  const auto state = divider.look(schema_of(one), partition_in(one));
  if (!state) return report_failure(state.error().what);
  store::TablesOwner owner = owner_of(one);
  owner.is_being_filled = *state == missing || *state == being_filled;
  const int migrated = migrate(one, owner, options);
  if (migrated != kExitDone || *state != empty) return migrated;
  const auto taken = divider.take(schema_of(one), partition_in(one));
  return taken ? kExitDone : report_failure(taken.error().what);
}

int fill(store::postgres::Divider& divider, const config::Configuration& one) {
  const auto partition = partition_in(one);
  const auto filled = divider.fill(schema_of(one), partition);
  if (!filled) return report_failure(filled.error().what);
  if (filled->is_new) {
    fmt::print("{}: {} items, {} ledger entries, {} item requests and {} holds moved\n",
               store::display(partition), filled->items, filled->entries, filled->requests,
               filled->holds);
  } else {
    fmt::print("{}: has its rows already\n", store::display(partition));
  }
  return kExitDone;
}

// Creates all partitions before it touches the undivided tables, so that obstacles show first.
int from_undivided(const config::Configuration& configuration, const MigrateOptions& options) {
  const auto divider = store::postgres::make_divider(
      {.connection_string = std::get<config::PostgresUrl>(configuration.database).url},
      configuration.partitions.value_or(config::Partitions()).count);
  if (const auto connected = divider->connect(); !connected) {
    return report_failure(connected.error().what);
  }
  if (const int status = check_partitions(*divider, configuration); status != kExitDone) {
    return status;
  }
  const int made = for_each_partition(configuration, [&](const config::Configuration& one) {
    return make_to_be_filled(*divider, one, options);
  });
  if (made != kExitDone) return made;
  if (const auto retired = divider->retire(); !retired) {
    return report_failure(retired.error().what);
  }
  for (const config::Configuration& one : config::in_each_partition(configuration)) {
    if (const int filled = fill(*divider, one); filled != kExitDone) return filled;
  }
  fmt::print("the undivided tables are kept: inventory_undivided and others of such names\n");
  return kExitDone;
}

int migrate_each(const config::Configuration& configuration, const MigrateOptions& options) {
  if (options.from_undivided) return from_undivided(configuration, options);
  return for_each_partition(configuration, [&](const config::Configuration& one) {
    return migrate(one, owner_of(one), options);
  });
}

std::expected<MigrateOptions, std::string> read_migrate(
    const Arguments& given, const config::Configuration& configuration) {
  const MigrateOptions options{.dry_run = given.flag("--dry-run"),
                               .from_undivided = given.flag("--from-undivided")};
  if (!options.from_undivided) return options;
  if (options.dry_run) return Wrong("--dry-run and --from-undivided: give either");
  if (!configuration.partitions || configuration.partitions->number) {
    return Wrong("--from-undivided goes with --partition all/COUNT");
  }
  const auto* postgres = std::get_if<config::PostgresUrl>(&configuration.database);
  if (postgres == nullptr ||
      postgres->url.find(config::kPartitionPlaceholder) != std::string::npos) {
    return Wrong(
        "--from-undivided moves a stock within one PostgreSQL database; to files, or to a database "
        "for each partition, add the items by their ids: see docs/scale.md");
  }
  return options;
}

}  // namespace

Command migrate_command() {
  return {
      .name = "migrate",
      .summary = "Bring the database's schema up to date",
      .description =
          "Checks first whether an existing table of another program can be adopted. If not, it\n"
          "prints one line for each obstacle, and changes nothing.\n\n"
          "Examples:\n"
          "  inventory-service migrate --database-url sqlite:inventory.db\n"
          "  inventory-service migrate --dry-run\n"
          "  inventory-service migrate --partition all/16\n\n"
          "Exit codes: 0 up to date, or would be; 1 of --dry-run: there are obstacles; 2 wrong\n"
          "command line or setting; 3 failed.",
      .options = {{"--dry-run", "", "print what it would do, and change nothing"},
                  {"--from-undivided", "",
                   "move the undivided stock of this PostgreSQL database into the partitions of\n"
                   "--partition all/COUNT; stop all services before"}},
      .prepare =
          [](const Arguments& given, const config::Configuration& configuration) {
            return prepared(read_migrate(given, configuration), migrate_each);
          },
  };
}

}  // namespace inventory::cli
