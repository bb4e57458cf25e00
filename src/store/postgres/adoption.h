#pragma once

// Adoption: what stands in the way of taking over a table `inventory` that is not the service's
// own. Looked at before anything is changed; what is found is found all at once.
//
// Whatever a table may be like beside what is found here, the first migration takes it: a column
// whose type does for the service is left alone, and with it what depends on it.

#include <string>
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

// Columns of the table that migration 0002 adds, and that are there already: a sentence each.
// Unless that migration was applied.
Task<Result<std::vector<std::string>>> taken_columns(Session& session, Deadline deadline);

}  // namespace inventory::store::postgres
