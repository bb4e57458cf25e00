#pragma once

// The schema's version: bringing it up to date, and checking it.
//
// Table inventory_migration has one row for each applied migration. An applied migration is never
// edited; a change is a new file in migrations/.

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

// The tables to use.
struct WantedTables {
  std::string schema;  // empty: the search_path decides
  TablesOwner owner;
};

// What migrate() would do. Needs only the privilege to read.
Task<Result<MigrationPlan>> plan_migration(Session& session, const WantedTables& wanted,
                                           Deadline deadline);

// Applies the missing migrations, each in its own transaction, one instance at a time. Returns the
// number applied. If there is nothing to do, it takes no lock and needs only to read
// inventory_migration. `lock_timeout` bounds the wait for other users of a table that is adopted,
// not the wait for another instance that migrates. After an error the schema is as the previous
// migration left it.
// A partition's schema is created if missing; with Citus, it is distributed, once.
// Errors: unavailable if the schema is newer than the program or another's (tables_owner.h), or if
// tables would be made beside others that contradict (neighbours.h); refused if a migration does
// not fit the data.
Task<Result<int>> migrate(Session& session, const WantedTables& wanted,
                          std::chrono::milliseconds lock_timeout, Deadline deadline);

// Checks that the schema has this program's version and the expected owner, and that the database
// is writable.
Task<Result<void>> check_ready(Session& session, const TablesOwner& owner, Deadline deadline);

// The SQL that reads the owner of the tables (one row or none), and the check of its result.
inline constexpr const char* kReadOwner = "SELECT name FROM inventory_migration WHERE version = 0";
std::optional<Error> check_owner(const Session& session, const TablesOwner& owner,
                                 const PGresult* rows);

// The SQL that reads the version, as text. A migration that older programs can live with is
// recorded with a minus sign, so that they ignore it. Version 1.0 reads the largest.
const std::string& read_version_sql();

// An error if the tables are older than the program. They may be newer: while instances are
// replaced one by one, older ones read them too.
std::optional<Error> check_not_older(const Session& session, const PGresult* version);

// An error if no tables were ever migrated; empty if there are migrated ones, or if that cannot be
// read. Call outside a transaction.
Task<std::optional<Error>> find_unmigrated(Session& session, Deadline deadline);

}  // namespace inventory::store::postgres
