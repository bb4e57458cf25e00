#pragma once

// The archiver of a PostgreSQL. The role needs what a service needs, SELECT on inventory_hold, and
// DELETE on inventory_ledger.

#include <memory>

#include "store/archiver.h"
#include "store/postgres/postgres_store.h"

namespace inventory::store::postgres {

// Throws std::invalid_argument if the connection string cannot be read; its text does not hold it.
std::unique_ptr<Archiver> make_postgres_archiver(PostgresOptions options);

}  // namespace inventory::store::postgres
