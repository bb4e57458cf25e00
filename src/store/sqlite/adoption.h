#pragma once

// Adoption: the first migration makes the Python service's table anew. What is lost that way is
// made again by SQL, or an obstacle. Looked at before anything is changed; what is found is found
// all at once. Without an obstacle the migrations are tried in memory, on a table without rows.

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
  std::vector<std::string> obstacles;  // a sentence each
  std::string remaking;  // SQL after migration 1: defaults and collations. Empty: there are none
  std::vector<std::string> restoring;  // SQL after all: indexes, triggers, the last id
};

Result<Adoption> examine(Connection& connection);

// What has a name that migration 3 gives: a sentence each. For a schema before it.
Result<std::vector<std::string>> examine_upgrade(Connection& connection);

// Applies a migration, with what the adoption needs beside it. `file` is for texts.
Result<void> apply(sqlite3* database, const std::string& file, const Migration& migration,
                   const Adoption& adoption);

// At the end: until then nothing that triggers do may happen to the rows.
Result<void> restore(sqlite3* database, const std::string& file, const Adoption& adoption);

// SQL: whether inventory_migration is there and is this service's.
inline constexpr std::string_view kHasVersions =
    "(SELECT count(*) = 2 FROM pragma_table_info('inventory_migration') "
    "WHERE lower(name) IN ('version', 'name')) AND EXISTS (SELECT 1 FROM sqlite_schema WHERE "
    "type = 'table' AND lower(name) = 'inventory_migration')";

}  // namespace inventory::store::sqlite
