#pragma once

// What SQLite's result codes mean for the caller of a store.
// Source: https://www.sqlite.org/rescode.html

#include <string_view>

#include <sqlite3.h>

#include "store/error.h"

namespace inventory::store::sqlite {

// The fault of an extended result code, while nothing has been committed.
Fault fault_of(int extended_code);

// The last error of a connection, as a value that names the file and what was being done.
// `database` may be null: SQLite had no memory for it.
Error error_of(sqlite3* database, std::string_view file, std::string_view doing);

}  // namespace inventory::store::sqlite
