#pragma once

// The archiver for SQLite: a second writing connection, beside the service's. It does not take the
// instance lock; its transactions are short, and the service can write between them.

#include <memory>
#include <string>

#include "store/archiver.h"
#include "store/sqlite/sqlite_store.h"

namespace inventory::store::sqlite {

std::unique_ptr<Archiver> make_sqlite_archiver(SqliteOptions options);

}  // namespace inventory::store::sqlite
