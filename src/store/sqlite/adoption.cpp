#include "store/sqlite/adoption.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "store/sqlite/fault.h"
#include "store/sqlite/statement.h"
#include "store/sqlite/table_text.h"

namespace inventory::store::sqlite {
namespace {

constexpr std::string_view kDoing = "looking at the table inventory";

// The first column of a query, as text.
Result<std::vector<std::string>> texts_of(Connection& connection, std::string_view sql) {
  auto statement = Statement::prepare(connection.handle(), sql);
  if (!statement) {
    return std::unexpected(statement.error());
  }
  std::vector<std::string> texts;
  auto read =
      statement->each(kDoing, [&](const Statement& row) { texts.emplace_back(row.text(0)); });
  if (!read) {
    return std::unexpected(read.error());
  }
  return texts;
}

// Lower case: SQLite's names are case-insensitive.
constexpr std::string_view kKind =
    "SELECT type FROM sqlite_schema WHERE type IN ('table', 'view') AND lower(name) = 'inventory'";

// One obstacle per row: the shape of the table, and names that are taken. {}: kHasVersions.
constexpr const char* kShape = R"sql(
WITH columns AS (SELECT *, lower(name) AS known FROM pragma_table_xinfo('inventory'))
SELECT 'inventory is a view and no table' FROM sqlite_schema
WHERE type = 'view' AND lower(name) = 'inventory'
UNION ALL
SELECT 'it is a virtual table' FROM sqlite_schema
WHERE type = 'table' AND lower(name) = 'inventory' AND sql LIKE 'CREATE VIRTUAL%'
UNION ALL
SELECT 'it has the columns ' || names ||
       ' instead of created_at, description, id, quantity; a column more would be lost'
FROM (SELECT group_concat(name, ', ') AS names, group_concat(known) AS known
      FROM (SELECT * FROM columns ORDER BY known))
WHERE known <> 'created_at,description,id,quantity'
UNION ALL
SELECT 'column ' || name || ' is generated, and cannot be written: make the table without it'
FROM columns WHERE hidden IN (2, 3)
UNION ALL
SELECT 'it has a foreign key of ' || "from" || ' to ' || "table" ||
       ', which would be lost: make the table without it'
FROM pragma_foreign_key_list('inventory')
UNION ALL
SELECT type || ' ' || name || ' is there already, and nothing says that it is the service''s: '
       || 'rename it or drop it'
FROM sqlite_schema
WHERE lower(name) IN ('inventory_ledger', 'inventory_item_request', 'inventory_hold',
                      'inventory_hold_expires_at')
   OR lower(name) = 'inventory_migration' AND NOT ({})
   OR lower(name) GLOB 'inventory_unique_[0-9]*'  -- kRestoring
      AND EXISTS (SELECT 1 FROM pragma_index_list('inventory') WHERE origin IN ('u', 'pk'))
)sql";

constexpr std::string_view kUpgrade = R"sql(
SELECT 'column ' || name || ' is there already, and the service needs one of that name for a use '
       || 'of its own: rename it'
FROM pragma_table_xinfo('inventory') WHERE lower(name) IN ('version', 'low_stock')
UNION ALL
SELECT type || ' ' || name || ' is there already, and nothing says that it is the service''s: '
       || 'rename it or drop it'
FROM sqlite_schema WHERE lower(name) IN ('inventory_hold', 'inventory_hold_expires_at')
)sql";

constexpr std::string_view kText =
    "SELECT sql FROM sqlite_schema WHERE type = 'table' AND lower(name) = 'inventory'";

// Checked first, because kRows would fail if a column is missing.
constexpr std::string_view kHasColumns = R"sql(
SELECT 1 FROM sqlite_schema
WHERE type = 'table' AND lower(name) = 'inventory' AND 4 = (
  SELECT count(*) FROM pragma_table_xinfo('inventory')
  WHERE lower(name) IN ('id', 'quantity', 'description', 'created_at'))
)sql";

// One row for each kind of invalid row. SQLite stores values of any type: a column declared INTEGER
// may contain 2.5 or a word.
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

// The table's own indexes and triggers; then indexes in place of its UNIQUE constraints, and of a
// primary key that is not the id.
constexpr std::string_view kRestoring = R"sql(
SELECT sql FROM sqlite_schema
WHERE type IN ('index', 'trigger') AND lower(tbl_name) = 'inventory' AND sql IS NOT NULL
UNION ALL
SELECT 'CREATE UNIQUE INDEX "inventory_unique_' || seq || '" ON inventory (' || keys || ')'
FROM (SELECT list.seq,
        (SELECT group_concat('"' || columns.name || '" COLLATE "' || columns.coll || '"')
         FROM pragma_index_xinfo(list.name) AS columns WHERE columns.key) AS keys
      FROM pragma_index_list('inventory') AS list WHERE list.origin IN ('u', 'pk'))
WHERE lower(keys) NOT LIKE '"id" collate "%"' OR keys LIKE '%,%'
)sql";

// If the table never reused an id (AUTOINCREMENT), neither does its replacement.
constexpr std::string_view kCountsIds =
    "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'sqlite_sequence'";
constexpr std::string_view kLastId = R"sql(
SELECT 'DELETE FROM sqlite_sequence WHERE name = ''inventory''; INSERT INTO sqlite_sequence (name, '
       || 'seq) VALUES (''inventory'', ' || seq || ')'
FROM sqlite_sequence WHERE lower(name) = 'inventory'
)sql";

// The table of migration 1, with the additional clauses of three columns.
constexpr const char* kRemaking = R"sql(
CREATE TEMP TABLE adopted AS SELECT id, quantity, description, created_at FROM inventory;
DROP TABLE inventory;
CREATE TABLE inventory (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  quantity    INTEGER NOT NULL {} CHECK (quantity >= 0),
  description TEXT {},
  created_at  TEXT {}
) STRICT;
INSERT INTO inventory (id, quantity, description, created_at)
  SELECT id, quantity, description, created_at FROM temp.adopted ORDER BY id;
DROP TABLE temp.adopted;
)sql";

// A column's collation and DEFAULT. An expression needs parentheses; a text in double quotes, which
// SQLite reads as a string there, must not have any.
Result<std::string> clauses_of(Connection& connection, const char* column) {
  std::string clauses;
  const char* collation = nullptr;
  if (sqlite3_table_column_metadata(connection.handle(), "main", "inventory", column, nullptr,
                                    &collation, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return std::unexpected(error_of(connection.handle(), connection.file(), kDoing));
  }
  if (collation != nullptr && std::string_view(collation) != "BINARY") {
    clauses += fmt::format("COLLATE \"{}\" ", collation);
  }
  const auto preset = texts_of(
      connection, fmt::format("SELECT dflt_value FROM pragma_table_xinfo('inventory') WHERE "
                              "lower(name) = '{}' AND dflt_value IS NOT NULL",
                              column));
  if (!preset) {
    return std::unexpected(preset.error());
  }
  for (const auto& value : *preset) {
    clauses += value.starts_with('"') ? fmt::format("DEFAULT {}", value)
                                      : fmt::format("DEFAULT ({})", value);
  }
  return clauses;
}

Result<std::string> remaking_of(Connection& connection) {
  std::vector<std::string> clauses;
  for (const auto* column : {"quantity", "description", "created_at"}) {
    auto found = clauses_of(connection, column);
    if (!found) {
      return std::unexpected(found.error());
    }
    clauses.push_back(*std::move(found));
  }
  if (std::ranges::all_of(clauses, &std::string::empty)) {
    return std::string();
  }
  return fmt::format(kRemaking, clauses[0], clauses[1], clauses[2]);
}

Result<void> execute(sqlite3* database, const std::string& file, const std::string& sql,
                     std::string_view doing) {
  if (sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return std::unexpected(error_of(database, file, doing));
  }
  return {};
}

// The results of all queries, concatenated.
Result<std::vector<std::string>> texts_of_all(Connection& connection,
                                              std::initializer_list<std::string_view> queries) {
  std::vector<std::string> texts;
  for (const auto query : queries) {
    auto more = texts_of(connection, query);
    if (!more) {
      return more;
    }
    std::ranges::move(*more, std::back_inserter(texts));
  }
  return texts;
}

// Checks that SQLite accepts everything: it refuses, for example, an index with an unknown
// collation.
Result<void> rehearse(Connection& connection, const Adoption& adoption) {
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close(handle); }
  };
  const std::string place = "in memory, as a trial for " + connection.file();
  sqlite3* handle = nullptr;
  const int opened =
      sqlite3_open_v2(":memory:", &handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  const std::unique_ptr<sqlite3, Close> memory(handle);
  if (opened != SQLITE_OK) {
    return std::unexpected(error_of(handle, place, "opening it"));
  }
  const auto made = texts_of(connection, kText);
  if (!made) {
    return std::unexpected(made.error());
  }
  for (const auto& sql : *made) {
    if (auto done = execute(handle, place, sql, "making the table inventory"); !done) {
      return done;
    }
  }
  for (const Migration& migration : migrations()) {
    if (auto applied = apply(handle, place, migration, adoption); !applied) {
      return applied;
    }
  }
  return restore(handle, place, adoption);
}

}  // namespace

Result<Adoption> examine(Connection& connection) {
  Adoption found;
  const auto kind = texts_of(connection, kKind);
  if (!kind) {
    return std::unexpected(kind.error());
  }
  found.has_table = !kind->empty();
  auto shape = texts_of(connection, fmt::format(kShape, kHasVersions));
  if (!shape) {
    return std::unexpected(shape.error());
  }
  found.obstacles = *std::move(shape);
  const auto text = texts_of(connection, kText);
  if (!text) {
    return std::unexpected(text.error());
  }
  for (const auto& made : *text) {
    for (const auto& condition : conditions_of(made)) {
      found.obstacles.push_back(
          fmt::format("it has {}, which would be lost: make the table without it", condition));
    }
  }
  const auto has_columns = texts_of(connection, kHasColumns);
  if (!has_columns) {
    return std::unexpected(has_columns.error());
  }
  if (has_columns->empty()) {
    return found;
  }
  auto rows = texts_of(connection, kRows);
  if (!rows) {
    return std::unexpected(rows.error());
  }
  std::ranges::move(*rows, std::back_inserter(found.obstacles));
  if (!found.obstacles.empty()) {
    return found;
  }
  const auto counts_ids = texts_of(connection, kCountsIds);
  if (!counts_ids) {
    return std::unexpected(counts_ids.error());
  }
  auto restoring = counts_ids->empty() ? texts_of_all(connection, {kRestoring})
                                       : texts_of_all(connection, {kRestoring, kLastId});
  if (!restoring) {
    return std::unexpected(restoring.error());
  }
  found.restoring = *std::move(restoring);
  auto remaking = remaking_of(connection);
  if (!remaking) {
    return std::unexpected(remaking.error());
  }
  found.remaking = *std::move(remaking);
  if (auto tried = rehearse(connection, found); !tried) {
    found.obstacles.push_back(tried.error().what);
  }
  return found;
}

Result<std::vector<std::string>> examine_upgrade(Connection& connection) {
  return texts_of(connection, kUpgrade);
}

Result<void> apply(sqlite3* database, const std::string& file, const Migration& migration,
                   const Adoption& adoption) {
  std::string sql(migration.sql);
  if (migration.version == 1) {
    sql += adoption.remaking;
  }
  return execute(database, file, sql,
                 fmt::format("applying migration {} {}", migration.version, migration.name));
}

Result<void> restore(sqlite3* database, const std::string& file, const Adoption& adoption) {
  for (const std::string& sql : adoption.restoring) {
    auto done =
        execute(database, file, sql, fmt::format("making again what the table had: {}", sql));
    if (!done) {
      return done;
    }
  }
  return {};
}

}  // namespace inventory::store::sqlite
