#include "store/sqlite/schema.h"

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "store/migration.h"
#include "store/sqlite/fault.h"
#include "store/sqlite/statement.h"
#include "store/sqlite/timestamp.h"

namespace inventory::store::sqlite {

std::span<const Migration> migrations();  // embedded at build

namespace {

// Runs a query that returns one integer.
Result<std::int64_t> integer_of(Connection& connection, std::string_view sql,
                                std::string_view doing) {
  auto statement = Statement::prepare(connection.handle(), sql);
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

Result<bool> has_table(Connection& connection, std::string_view name) {
  const auto sql =
      fmt::format("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '{}'", name);
  const auto count = integer_of(connection, sql, "reading the schema");
  if (!count) {
    return std::unexpected(count.error());
  }
  return *count > 0;
}

int newest_version() { return static_cast<int>(migrations().size()); }

// The version of the schema, 0 where there is none. Newer than this program: an error.
Result<int> version_of(Connection& connection) {
  const auto recorded = has_table(connection, "inventory_migration");
  if (!recorded) {
    return std::unexpected(recorded.error());
  }
  if (!*recorded) {
    return 0;
  }
  const auto version =
      integer_of(connection, "SELECT coalesce(max(version), 0) FROM inventory_migration",
                 "reading the schema's version");
  if (!version) {
    return std::unexpected(version.error());
  }
  if (*version > newest_version()) {
    return std::unexpected(
        Error{Fault::unavailable,
              fmt::format("SQLite database {}: its schema has version {}, newer than version {} of "
                          "this program; run the newer program",
                          connection.file(), *version, newest_version())});
  }
  return static_cast<int>(*version);
}

Error not_adoptable(const Connection& connection, std::string_view why) {
  return {Fault::refused, fmt::format("SQLite database {}: the existing table inventory cannot be "
                                      "adopted: {}; nothing was changed",
                                      connection.file(), why)};
}

// A column that the new table has no place for would be lost.
Result<void> check_columns(Connection& connection) {
  auto statement = Statement::prepare(
      connection.handle(),
      "SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_table_info('inventory') "
      "ORDER BY name)");
  if (!statement) {
    return std::unexpected(statement.error());
  }
  std::string columns;
  auto read = statement->each("reading the columns of the table inventory",
                              [&](const Statement& row) { columns = row.text(0); });
  if (!read) {
    return read;
  }
  constexpr std::string_view kExpected = "created_at, description, id, quantity";
  if (columns != kExpected) {
    return std::unexpected(not_adoptable(
        connection, fmt::format("it has the columns {} instead of {}", columns, kExpected)));
  }
  return {};
}

Result<void> check_quantities(Connection& connection) {
  // SQLite keeps what it was given: a column declared INTEGER may hold 2.5 or a word.
  auto statement = Statement::prepare(
      connection.handle(),
      "SELECT count(*), min(id) FROM inventory WHERE typeof(quantity) <> 'integer' OR quantity < 0 "
      "OR quantity > 9007199254740991");
  if (!statement) {
    return std::unexpected(statement.error());
  }
  std::int64_t count = 0;
  std::int64_t id = 0;
  auto read =
      statement->each("checking the quantities of the table inventory", [&](const Statement& row) {
        count = row.integer(0);
        id = row.integer(1);
      });
  if (!read) {
    return read;
  }
  if (count > 0) {
    return std::unexpected(not_adoptable(
        connection,
        fmt::format("{} of its rows have a quantity that is null, negative, above 2^53-1 or no "
                    "integer, one of them with id {}",
                    count, id)));
  }
  return {};
}

Result<void> check_adoptable(Connection& connection) {
  const auto exists = has_table(connection, "inventory");
  if (!exists) {
    return std::unexpected(exists.error());
  }
  if (!*exists) {
    return {};
  }
  if (auto columns = check_columns(connection); !columns) {
    return columns;
  }
  return check_quantities(connection);
}

Result<void> apply(Connection& connection, const Migration& migration) {
  const std::string sql(migration.sql);
  if (sqlite3_exec(connection.handle(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return std::unexpected(
        error_of(connection.handle(), connection.file(),
                 fmt::format("applying migration {} {}", migration.version, migration.name)));
  }
  auto record = Statement::prepare(
      connection.handle(),
      "INSERT INTO inventory_migration (version, name, applied_at) VALUES (?1, ?2, ?3)");
  if (!record) {
    return std::unexpected(record.error());
  }
  const auto now =
      to_text(std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()));
  return record->run("recording a migration", std::int64_t{migration.version}, migration.name,
                     std::string_view(now));
}

}  // namespace

Result<void> check_schema(Connection& connection) {
  const auto version = version_of(connection);
  if (!version) {
    return std::unexpected(version.error());
  }
  if (*version < newest_version()) {
    return std::unexpected(
        Error{Fault::unavailable,
              fmt::format("SQLite database {}: its schema has version {}, this program needs "
                          "version {}; migrate it first",
                          connection.file(), *version, newest_version())});
  }
  return {};
}

Result<int> apply_migrations(Connection& connection) {
  const auto version = version_of(connection);
  if (!version) {
    return std::unexpected(version.error());
  }
  if (*version == 0) {
    if (auto adoptable = check_adoptable(connection); !adoptable) {
      return std::unexpected(adoptable.error());
    }
  }
  const auto missing = migrations().subspan(static_cast<std::size_t>(*version));
  for (const Migration& migration : missing) {
    if (auto applied = apply(connection, migration); !applied) {
      return std::unexpected(applied.error());
    }
  }
  return static_cast<int>(missing.size());
}

}  // namespace inventory::store::sqlite
