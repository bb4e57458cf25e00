#pragma once

// The schema of the file: which version it has, and how it is brought up to date.
// The steps are migrations/NNNN_name.sql; the table inventory_migration records those applied.

#include <string>

#include "store/error.h"
#include "store/migration_plan.h"
#include "store/sqlite/connection.h"
#include "store/tables_owner.h"

namespace inventory::store::sqlite {

// An error unless the schema is the one that this program needs, and of that owner; the text says
// what to do.
Result<void> check_schema(sqlite3* handle, const std::string& file, const TablesOwner& owner);

// What apply_migrations() would do. The connection may be for reading only.
Result<MigrationPlan> plan_migrations(Connection& connection, const TablesOwner& owner);

// The same where there is no file yet.
MigrationPlan plan_without_file(const std::string& file);

// Applies the migrations that are missing and returns how many, inside the caller's transaction.
// Errors: refused where the Python service's table holds something that cannot be adopted;
//         unavailable where the schema is newer than this program or another's (tables_owner.h).
Result<int> apply_migrations(Connection& connection, const TablesOwner& owner);

}  // namespace inventory::store::sqlite
