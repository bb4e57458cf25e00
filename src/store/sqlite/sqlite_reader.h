#pragma once

// The reader of a SQLite file: a read-only connection, which takes no instance's lock and may stand
// beside a service that is writing (write-ahead log). While it reads, the log grows.

#include <memory>
#include <string>

#include "store/reader.h"

namespace inventory::store::sqlite {

std::unique_ptr<Reader> make_sqlite_reader(std::string path);

}  // namespace inventory::store::sqlite
