#pragma once

// The archiver of a SQLite file: a second connection that writes, beside the service's. It takes no
// instance's lock: between its transactions, which are short, the service has the file.

#include <memory>
#include <string>

#include "store/archiver.h"
#include "store/sqlite/sqlite_store.h"

namespace inventory::store::sqlite {

std::unique_ptr<Archiver> make_sqlite_archiver(SqliteOptions options);

}  // namespace inventory::store::sqlite
