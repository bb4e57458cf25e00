#pragma once

// Adoption: the first migration rebuilds the Python service's table. Whatever that loses is either
// restored by SQL or an obstacle. Checked before anything is changed; all obstacles are reported
// together. If there are none, the migrations are tried in memory, on a table without rows.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sqlite3.h>

#include "store/error.h"
#include "store/migration.h"
#include "store/sqlite/connection.h"

namespace inventory::store::sqlite {

std::span<const Migration> migrations();  // embedded at build

struct Adoption {
  bool has_table = false;              // or a view
  std::vector<std::string> obstacles;  // one sentence each
  std::string remaking;  // SQL after migration 1: defaults and collations. Empty if there are none
  std::vector<std::string> restoring;  // SQL after all migrations: indexes, triggers, the last id
};

Result<Adoption> examine(Connection& connection);

// Objects with a name that migration 3 needs, one sentence each. For a schema older than that.
Result<std::vector<std::string>> examine_upgrade(Connection& connection);

// Applies a migration, and what the adoption needs with it. `file` is for messages.
Result<void> apply(sqlite3* database, const std::string& file, const Migration& migration,
                   const Adoption& adoption);

// Runs last: until then no trigger may touch the rows.
Result<void> restore(sqlite3* database, const std::string& file, const Adoption& adoption);

// SQL: whether inventory_migration exists and is this service's.
inline constexpr std::string_view kHasVersions =
    "(SELECT count(*) = 2 FROM pragma_table_info('inventory_migration') "
    "WHERE lower(name) IN ('version', 'name')) AND EXISTS (SELECT 1 FROM sqlite_schema WHERE "
    "type = 'table' AND lower(name) = 'inventory_migration')";

}  // namespace inventory::store::sqlite
