#pragma once

// Rehearsal: whether PostgreSQL takes the migrations. They are applied to empty copies of the
// tables that they alter, under the names that they give, and rolled back. So this finds what the
// catalogue cannot tell beforehand: an event trigger that refuses, an index or a CHECK over a
// function that takes no bigint.

#include <span>
#include <string>
#include <vector>

#include "store/migration.h"
#include "store/postgres/session.h"

namespace inventory::store::postgres {

// Creates inventory_migration where it is missing.
extern const std::string_view kMakeVersions;

// What PostgreSQL says against it: no sentence, or one. Within the caller's transaction, which goes
// on; of the tables that are there nothing but their definition is read, and they are locked
// against nothing but other migrations. No sentence either where the role may make no temporary
// table.
Task<Result<std::vector<std::string>>> rehearse(Session& session,
                                                std::span<const Migration> missing,
                                                Deadline deadline);

}  // namespace inventory::store::postgres
