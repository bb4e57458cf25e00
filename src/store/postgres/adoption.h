#pragma once

// Adoption: what prevents taking over a table `inventory` that is not the service's own. Checked
// before anything is changed; all obstacles are reported together.
//
// The migrations leave a column of a suitable type alone, and so whatever depends on it. Obstacles
// not known here may still show in the rehearsal (rehearsal.h).

#include <string>
#include <string_view>
#include <vector>

#include "store/postgres/session.h"

namespace inventory::store::postgres {

// What a schema without this service's migrations contains.
struct Surroundings {
  bool has_table = false;  // a relation `inventory` on the search_path
  std::string schema;      // its schema, or else that in which tables would be made
  std::vector<std::string> obstacles = {};    // one sentence each
  std::vector<std::string> look_alikes = {};  // without a table: others that may be meant
};

// Only reads, but all rows of the table. Runs in the caller's transaction, which an error ends. If
// the table is locked, waits until the deadline.
Task<Result<Surroundings>> examine(Session& session, Deadline deadline);

// The same for a table that was adopted or made, but not yet migrated to version 2.
Task<Result<std::vector<std::string>>> examine_upgrade(Session& session, Deadline deadline);

// SQL: whether inventory_migration exists and is this service's.
inline constexpr std::string_view kHasVersions = R"sql(
(SELECT count(*) = 2 FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
 WHERE pg_class.oid = to_regclass('inventory_migration') AND relkind = 'r'
   AND attname IN ('version', 'name') AND NOT attisdropped))sql";

}  // namespace inventory::store::postgres
