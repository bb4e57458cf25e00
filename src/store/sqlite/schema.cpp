#include "store/sqlite/schema.h"

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "store/migration.h"
#include "store/sqlite/adoption.h"
#include "store/sqlite/fault.h"
#include "store/sqlite/statement.h"
#include "store/sqlite/timestamp.h"

namespace inventory::store::sqlite {
namespace {

// Runs a query that returns one integer.
Result<std::int64_t> integer_of(sqlite3* handle, std::string_view sql, std::string_view doing) {
  auto statement = Statement::prepare(handle, sql);
  if (!statement) {
    return std::unexpected(statement.error());
  }
  std::int64_t value = 0;
  auto read = statement->each(doing, [&](const Statement& row) { value = row.integer(0); });
  if (!read) {
    return std::unexpected(read.error());
  }
  return value;
}

int newest_version() { return static_cast<int>(migrations().size()); }

// An error if the tables belong to another owner.
Result<void> check_owner(sqlite3* handle, const std::string& file, const TablesOwner& owner) {
  auto statement =
      Statement::prepare(handle, "SELECT name FROM inventory_migration WHERE version = 0");
  if (!statement) {
    return std::unexpected(statement.error());
  }
  std::optional<std::string> name;
  auto read = statement->each("reading whose tables they are",
                              [&](const Statement& row) { name = row.text(0); });
  if (!read) {
    return std::unexpected(read.error());
  }
  const auto why = why_not_of(owner, name);
  if (why.empty()) {
    return {};
  }
  return std::unexpected(
      Error{Fault::unavailable, fmt::format("SQLite database {}: {}", file, why)});
}

// The version of the schema, 0 if there is none. An error if it is newer than this program.
Result<int> version_of(sqlite3* handle, const std::string& file, const TablesOwner& owner) {
  const auto recorded =
      integer_of(handle, fmt::format("SELECT {}", kHasVersions), "reading the schema");
  if (!recorded) {
    return std::unexpected(recorded.error());
  }
  if (*recorded == 0) {
    return 0;
  }
  if (auto checked = check_owner(handle, file, owner); !checked) {
    return std::unexpected(checked.error());
  }
  const auto version =
      integer_of(handle, "SELECT coalesce(max(version), 0) FROM inventory_migration",
                 "reading the schema's version");
  if (!version) {
    return std::unexpected(version.error());
  }
  if (*version > newest_version()) {
    return std::unexpected(
        Error{Fault::unavailable,
              fmt::format("SQLite database {}: its schema has version {}, newer than version {} of "
                          "this program; run the newer program",
                          file, *version, newest_version())});
  }
  return static_cast<int>(*version);
}

Error not_adoptable(const Connection& connection, const Adoption& found) {
  return {Fault::refused, fmt::format("SQLite database {}: the existing table inventory cannot be "
                                      "adopted: {}; it is as it was",
                                      connection.file(), fmt::join(found.obstacles, "; "))};
}

constexpr std::string_view kPartitionsAdoptNone =
    "a partition takes no table over: add its items with import";

Result<void> record(Connection& connection, std::int64_t version, std::string_view name) {
  auto statement = Statement::prepare(
      connection.handle(),
      "INSERT INTO inventory_migration (version, name, applied_at) VALUES (?1, ?2, ?3)");
  if (!statement) {
    return std::unexpected(statement.error());
  }
  const auto now =
      to_text(std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()));
  return statement->run("recording a migration", version, name, std::string_view(now));
}

}  // namespace

Result<void> check_schema(sqlite3* handle, const std::string& file, const TablesOwner& owner) {
  const auto version = version_of(handle, file, owner);
  if (!version) {
    return std::unexpected(version.error());
  }
  if (*version < newest_version()) {
    return std::unexpected(
        Error{Fault::unavailable,
              fmt::format("SQLite database {}: its schema has version {}, this program needs "
                          "version {}: run inventory-service migrate",
                          file, *version, newest_version())});
  }
  return {};
}

Result<int> apply_migrations(Connection& connection, const TablesOwner& owner) {
  const auto version = version_of(connection.handle(), connection.file(), owner);
  if (!version) {
    return std::unexpected(version.error());
  }
  Adoption adoption;
  if (*version == 0) {
    auto found = examine(connection);
    if (!found) {
      return std::unexpected(found.error());
    }
    adoption = *std::move(found);
    if (owner.partition && adoption.has_table) {
      adoption.obstacles.emplace_back(kPartitionsAdoptNone);
    }
    if (!adoption.obstacles.empty()) {
      return std::unexpected(not_adoptable(connection, adoption));
    }
  }
  const auto missing = migrations().subspan(static_cast<std::size_t>(*version));
  for (const Migration& migration : missing) {
    if (auto applied = apply(connection.handle(), connection.file(), migration, adoption);
        !applied) {
      return std::unexpected(applied.error());
    }
    if (auto recorded = record(connection, migration.version, migration.name); !recorded) {
      return std::unexpected(recorded.error());
    }
  }
  if (const auto name = owner_name(owner); name && *version == 0) {
    if (auto recorded = record(connection, 0, *name); !recorded) {
      return std::unexpected(recorded.error());
    }
  }
  if (auto restored = restore(connection.handle(), connection.file(), adoption); !restored) {
    return std::unexpected(restored.error());
  }
  return static_cast<int>(missing.size());
}

Result<MigrationPlan> plan_migrations(Connection& connection, const TablesOwner& owner) {
  const auto version = version_of(connection.handle(), connection.file(), owner);
  if (!version) {
    return std::unexpected(version.error());
  }
  MigrationPlan plan{.missing = newest_version() - *version,
                     .where = fmt::format("SQLite database {}", connection.file())};
  if (plan.missing == 0) {
    return plan;
  }
  if (*version > 0) {
    auto taken = examine_upgrade(connection);
    if (!taken) {
      return std::unexpected(taken.error());
    }
    plan.obstacles = *std::move(taken);
    return plan;
  }
  auto found = examine(connection);
  if (!found) {
    return std::unexpected(found.error());
  }
  plan.tables = found->has_table ? MigrationPlan::Origin::adopted : MigrationPlan::Origin::made;
  plan.obstacles = std::move(found->obstacles);
  if (owner.partition && found->has_table) plan.obstacles.emplace_back(kPartitionsAdoptNone);
  return plan;
}

MigrationPlan plan_without_file(const std::string& file) {
  return {.tables = MigrationPlan::Origin::made,
          .missing = newest_version(),
          .where = fmt::format("SQLite database {}", file)};
}

}  // namespace inventory::store::sqlite
