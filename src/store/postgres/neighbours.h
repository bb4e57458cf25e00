#pragma once

// neighbours: other tables of this service in the same database. If new, empty tables would stand
// beside them, --partition is most likely wrong or missing, and orders would be answered from an
// empty stock. Looked for only where tables would be made.
//
// They are looked for in the schemas named "inventory_NUMBER" and, for a partition, in the schema
// public, as far as the role may read them. An undivided stock whose client sets search_path, and a
// partition whose schema has another name, are not checked: they name the schema that they mean.

#include <chrono>
#include <optional>
#include <string>

#include "store/postgres/session.h"
#include "store/tables_owner.h"

namespace inventory::store::postgres {

// Why no tables are to be made for this owner, for people; empty if they may be. `schema` as in
// WantedTables (schema.h).
Task<Result<std::optional<std::string>>> find_conflict(Session& session, const std::string& schema,
                                                       const TablesOwner& owner, Deadline deadline);

// Waits for others that are making tables, so that find_conflict() sees these tables. Others wait
// until the caller's transaction ends. `lock_timeout` does not bound the wait; it is set
// afterwards.
Task<Result<void>> lock_out_neighbours(Session& session, const std::string& schema,
                                       const TablesOwner& owner,
                                       std::chrono::milliseconds lock_timeout, Deadline deadline);

}  // namespace inventory::store::postgres
