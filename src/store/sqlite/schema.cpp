#include "store/sqlite/schema.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

// Whether there is a table or view of that name, in any capitals: SQLite takes them for the same.
Result<bool> has_table(Connection& connection, std::string_view name) {
  const auto sql = fmt::format(
      "SELECT count(*) FROM sqlite_schema WHERE type IN ('table', 'view') AND lower(name) = '{}'",
      name);
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

// The first migration makes the Python service's table anew. What is lost that way is either made
// again by its own SQL, or an obstacle.
struct Adoption {
  bool has_table = false;
  std::vector<std::string> obstacles;  // a sentence each
  std::vector<std::string> restoring;  // SQL that makes indexes and triggers again
};

// The texts of a query's first column.
Result<std::vector<std::string>> texts_of(Connection& connection, std::string_view sql) {
  auto statement = Statement::prepare(connection.handle(), sql);
  if (!statement) {
    return std::unexpected(statement.error());
  }
  std::vector<std::string> texts;
  auto read = statement->each("looking at the table inventory",
                              [&](const Statement& row) { texts.emplace_back(row.text(0)); });
  if (!read) {
    return std::unexpected(read.error());
  }
  return texts;
}

// One obstacle for each row: the shape of the table.
constexpr std::string_view kShape = R"sql(
SELECT 'inventory is a view and no table' FROM sqlite_schema
WHERE type = 'view' AND lower(name) = 'inventory'
UNION ALL
SELECT 'it has the columns ' || columns ||
       ' instead of created_at, description, id, quantity; a column more would be lost'
FROM (SELECT group_concat(name, ', ') AS columns FROM
      (SELECT name FROM pragma_table_xinfo('inventory') ORDER BY name))
WHERE columns <> 'created_at, description, id, quantity'
UNION ALL
SELECT 'it has a CHECK, a foreign key or a generated column, which would be lost: make the table '
       || 'without it'
FROM (SELECT replace(lower(replace(replace(replace(replace(sql, ' ', ''), char(10), ''), char(9),
                     ''), char(13), '')), 'check(quantity>=0)', '') AS made
      FROM sqlite_schema WHERE type = 'table' AND lower(name) = 'inventory')
WHERE instr(made, 'check(') OR instr(made, 'references') OR instr(made, 'generated')
UNION ALL
SELECT 'there is a table ' || name ||
       ' already, but no table inventory_migration that says whose it is: rename it or drop it'
FROM sqlite_schema
WHERE lower(name) IN ('inventory_ledger', 'inventory_item_request', 'inventory_hold',
                      'inventory_hold_expires_at')
)sql";

// One for each kind of rows. SQLite keeps what it was given: a column declared INTEGER may hold 2.5
// or a word.
constexpr std::string_view kRows = R"sql(
SELECT rows || what || coalesce(', one of them with id ' || first, '') FROM (
  SELECT count(*) AS rows, min(id) AS first, ' of its rows have a quantity that is null, negative, '
         || 'above 2^53-1 or no integer' AS what
  FROM inventory WHERE typeof(quantity) <> 'integer' OR quantity < 0 OR quantity > 9007199254740991
  UNION ALL
  SELECT count(*), min(id), ' of its rows have an id that is no integer from 1 to 2^53-1'
  FROM inventory WHERE typeof(id) <> 'integer' OR id < 1 OR id > 9007199254740991
  UNION ALL
  SELECT count(*), min(id), ' ids have more than one row'
  FROM (SELECT id FROM inventory GROUP BY id HAVING count(*) > 1)
  UNION ALL
  SELECT count(*), min(id), ' of its rows have a description or created_at that is no text'
  FROM inventory WHERE typeof(description) = 'blob' OR typeof(created_at) = 'blob'
) WHERE rows > 0
)sql";

// The table's own indexes and triggers; then those that stand for its UNIQUE constraints.
constexpr std::string_view kRestoring = R"sql(
SELECT sql FROM sqlite_schema
WHERE type IN ('index', 'trigger') AND lower(tbl_name) = 'inventory' AND sql IS NOT NULL
UNION ALL
SELECT 'CREATE UNIQUE INDEX "inventory_unique_' || list.seq || '" ON inventory (' ||
       (SELECT group_concat('"' || columns.name || '" COLLATE ' || columns.coll)
        FROM pragma_index_xinfo(list.name) AS columns WHERE columns.key) || ')'
FROM pragma_index_list('inventory') AS list WHERE list.origin = 'u'
)sql";

// Where the table gave no id twice (AUTOINCREMENT), so does the one that takes its place.
constexpr std::string_view kLastId = R"sql(
SELECT 'DELETE FROM sqlite_sequence WHERE name = ''inventory''; INSERT INTO sqlite_sequence (name, '
       || 'seq) VALUES (''inventory'', ' || seq || ')'
FROM sqlite_sequence WHERE lower(name) = 'inventory'
)sql";

Result<Adoption> examine(Connection& connection) {
  Adoption found;
  const auto exists = has_table(connection, "inventory");
  if (!exists) {
    return std::unexpected(exists.error());
  }
  found.has_table = *exists;
  auto shape = texts_of(connection, kShape);
  if (!shape) {
    return std::unexpected(shape.error());
  }
  found.obstacles = *std::move(shape);
  if (!found.has_table || !found.obstacles.empty()) {
    return found;  // a query of the rows could name a column that is missing
  }
  auto rows = texts_of(connection, kRows);
  if (!rows) {
    return std::unexpected(rows.error());
  }
  found.obstacles = *std::move(rows);
  auto restoring = texts_of(connection, kRestoring);
  if (!restoring) {
    return std::unexpected(restoring.error());
  }
  found.restoring = *std::move(restoring);
  const auto counts_ids = has_table(connection, "sqlite_sequence");
  if (!counts_ids) {
    return std::unexpected(counts_ids.error());
  }
  if (*counts_ids) {
    auto last_id = texts_of(connection, kLastId);
    if (!last_id) {
      return std::unexpected(last_id.error());
    }
    std::ranges::move(*last_id, std::back_inserter(found.restoring));
  }
  return found;
}

Error not_adoptable(const Connection& connection, const Adoption& found) {
  return {Fault::refused, fmt::format("SQLite database {}: the existing table inventory cannot be "
                                      "adopted: {}; it is as it was",
                                      connection.file(), fmt::join(found.obstacles, "; "))};
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
  Adoption adoption;
  if (*version == 0) {
    auto found = examine(connection);
    if (!found) {
      return std::unexpected(found.error());
    }
    adoption = *std::move(found);
    if (!adoption.obstacles.empty()) {
      return std::unexpected(not_adoptable(connection, adoption));
    }
  }
  const auto missing = migrations().subspan(static_cast<std::size_t>(*version));
  for (const Migration& migration : missing) {
    if (auto applied = apply(connection, migration); !applied) {
      return std::unexpected(applied.error());
    }
  }
  // At the end: until then nothing that they do may happen to the rows.
  for (const std::string& sql : adoption.restoring) {
    if (sqlite3_exec(connection.handle(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
      return std::unexpected(error_of(connection.handle(), connection.file(),
                                      fmt::format("making again what the table had: {}", sql)));
    }
  }
  return static_cast<int>(missing.size());
}

Result<MigrationPlan> plan_migrations(Connection& connection) {
  const auto version = version_of(connection);
  if (!version) {
    return std::unexpected(version.error());
  }
  MigrationPlan plan{.missing = newest_version() - *version,
                     .where = fmt::format("SQLite database {}", connection.file())};
  if (*version > 0) {
    return plan;
  }
  auto found = examine(connection);
  if (!found) {
    return std::unexpected(found.error());
  }
  plan.tables = found->has_table ? MigrationPlan::Tables::adopted : MigrationPlan::Tables::made;
  plan.obstacles = std::move(found->obstacles);
  return plan;
}

MigrationPlan plan_without_file(const std::string& file) {
  return {.tables = MigrationPlan::Tables::made,
          .missing = newest_version(),
          .where = fmt::format("SQLite database {}", file)};
}

}  // namespace inventory::store::sqlite
