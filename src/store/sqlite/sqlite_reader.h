#pragma once

// The reader for SQLite: a read-only connection. It does not take the instance lock, and can read
// while a service writes (write-ahead log). While it reads, the log grows.

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "store/reader.h"
#include "store/sqlite/sqlite_store.h"

namespace inventory::store::sqlite {

// deadline: for all reading between begin() and end(); empty: none.
std::unique_ptr<Reader> make_sqlite_reader(SqliteOptions options,
                                           std::optional<std::chrono::milliseconds> deadline = {});

}  // namespace inventory::store::sqlite
