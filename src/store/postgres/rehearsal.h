#pragma once

// Rehearsal: whether PostgreSQL accepts the migrations. They are applied to empty copies of the
// tables that they alter, with the names that they use, and rolled back. This finds obstacles that
// the catalogue does not show: an event trigger that refuses, an index or a CHECK over a function
// that does not accept a bigint.

#include <span>
#include <string>
#include <vector>

#include "store/migration.h"
#include "store/postgres/session.h"

namespace inventory::store::postgres {

// Creates inventory_migration if it is missing.
extern const std::string_view kMakeVersions;

// PostgreSQL's objection: one sentence, or none. Runs in the caller's transaction, which stays
// usable. Of existing tables it reads only the definitions, and locks them only against other
// migrations. Also returns none if the role may not create temporary tables.
Task<Result<std::vector<std::string>>> rehearse(Session& session,
                                                std::span<const Migration> missing,
                                                Deadline deadline);

}  // namespace inventory::store::postgres
