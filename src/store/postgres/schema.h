#pragma once

// The schema's version: bringing it up to date, and checking it.
//
// Table inventory_migration holds one row for each migration that was applied. What is applied is
// never changed; a change is a new file in migrations/.

#include <chrono>
#include <span>
#include <string>

#include "store/migration.h"
#include "store/migration_plan.h"
#include "store/postgres/session.h"
#include "store/tables_owner.h"

namespace inventory::store::postgres {

// migrations/NNNN_name.sql, embedded at build.
std::span<const Migration> migrations();

// Which tables are meant.
struct WantedTables {
  std::string schema;  // empty: where search_path leads
  TablesOwner owner;
};

// What migrate() would do. Needs no right but to read.
Task<Result<MigrationPlan>> plan_migration(Session& session, const WantedTables& wanted,
                                           Deadline deadline);

// Applies what is missing, each migration in a transaction of its own, one instance at a time.
// Returns the number applied. Looks first: with nothing to do it takes no lock and needs no right
// but to read inventory_migration. `lock_timeout` bounds the wait for other users of a table that
// is adopted, not the wait for another instance that migrates. An error leaves the schema as it
// was after the migration before.
// A partition's schema is made where it is missing; where Citus is, it is distributed, once.
// Errors: unavailable if the schema is newer than the program or another's (tables_owner.h),
// refused if a migration cannot take the data.
Task<Result<int>> migrate(Session& session, const WantedTables& wanted,
                          std::chrono::milliseconds lock_timeout, Deadline deadline);

// Checks that the schema is at this program's version and of the owner that it is taken for, and
// that the database is writable.
Task<Result<void>> check_ready(Session& session, const TablesOwner& owner, Deadline deadline);

// The SQL that reads whose tables they are, and what to make of it: a row or none.
inline constexpr const char* kReadOwner = "SELECT name FROM inventory_migration WHERE version = 0";
std::optional<Error> check_owner(const Session& session, const TablesOwner& owner,
                                 const PGresult* rows);

// The SQL that reads the version, as a text. A migration beside which older programs may go on is
// recorded with a minus: programs that do not know it take no notice of it. Version 1.0 asks for
// the largest.
const std::string& read_version_sql();

// An error if the tables are older than the program. They may be newer: while instances are
// replaced one by one, older ones read them, too.
std::optional<Error> check_not_older(const Session& session, const PGresult* version);

// An error if there are no tables that were ever migrated; nothing if there are, or if that cannot
// be read. Outside a transaction.
Task<std::optional<Error>> find_unmigrated(Session& session, Deadline deadline);

}  // namespace inventory::store::postgres
