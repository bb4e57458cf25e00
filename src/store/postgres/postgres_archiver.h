#pragma once

// The archiver for PostgreSQL. The role needs a service's privileges, SELECT on inventory_hold, and
// DELETE on inventory_ledger.

#include <memory>

#include "store/archiver.h"
#include "store/postgres/postgres_store.h"

namespace inventory::store::postgres {

// Throws std::invalid_argument if the connection string cannot be read, without quoting it.
std::unique_ptr<Archiver> make_postgres_archiver(PostgresOptions options);

}  // namespace inventory::store::postgres
