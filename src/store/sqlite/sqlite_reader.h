#pragma once

// The reader of a SQLite file: a read-only connection, which takes no instance's lock and may stand
// beside a service that is writing (write-ahead log). While it reads, the log grows.

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "store/reader.h"
#include "store/sqlite/sqlite_store.h"

namespace inventory::store::sqlite {

// deadline: of all that is read between begin() and end(); none: there is none.
std::unique_ptr<Reader> make_sqlite_reader(SqliteOptions options,
                                           std::optional<std::chrono::milliseconds> deadline = {});

}  // namespace inventory::store::sqlite
