#pragma once

// Adoption: what stands in the way of taking over a table `inventory` that is not the service's
// own. Looked at before anything is changed; what is found is found all at once.
//
// A column whose type does for the service is left alone by the migrations, and with it what
// depends on it. What is not known here may still show when they are tried (rehearsal.h).

#include <string>
#include <string_view>
#include <vector>

#include "store/postgres/session.h"

namespace inventory::store::postgres {

// What a schema without this service's migrations holds.
struct Surroundings {
  bool has_table = false;                     // a relation `inventory`, wherever search_path leads
  std::string schema;                         // its, or else that in which tables would be made
  std::vector<std::string> obstacles = {};    // a sentence each
  std::vector<std::string> look_alikes = {};  // where there is no table: others that may be meant
};

// Reads only, but all rows of the table. Within the caller's transaction; after an error that is
// over. Waits as long as the deadline allows for who keeps the table locked.
Task<Result<Surroundings>> examine(Session& session, Deadline deadline);

// The same for a table that was adopted, or made, and to which migration 0002 was not applied.
Task<Result<std::vector<std::string>>> examine_upgrade(Session& session, Deadline deadline);

// SQL: whether inventory_migration is there and is this service's.
inline constexpr std::string_view kHasVersions = R"sql(
(SELECT count(*) = 2 FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
 WHERE pg_class.oid = to_regclass('inventory_migration') AND relkind = 'r'
   AND attname IN ('version', 'name') AND NOT attisdropped))sql";

}  // namespace inventory::store::postgres
