#pragma once

// The schema of the file: checks its version, and brings it up to date. The steps are
// migrations/NNNN_name.sql; the table inventory_migration records those applied.

#include <string>

#include "store/error.h"
#include "store/migration_plan.h"
#include "store/sqlite/connection.h"
#include "store/tables_owner.h"

namespace inventory::store::sqlite {

// An error unless the schema is the one that this program needs and has that owner; the text says
// what to do.
Result<void> check_schema(sqlite3* handle, const std::string& file, const TablesOwner& owner);

// What apply_migrations() would do. The connection may be for reading only.
Result<MigrationPlan> plan_migrations(Connection& connection, const TablesOwner& owner);

// The same if there is no file yet.
MigrationPlan plan_without_file(const std::string& file);

// Applies the missing migrations, in the caller's transaction, and returns their number.
// Errors: refused if the Python service's table contains something that cannot be adopted;
//         unavailable if the schema is newer than this program or another's (tables_owner.h).
Result<int> apply_migrations(Connection& connection, const TablesOwner& owner);

}  // namespace inventory::store::sqlite
