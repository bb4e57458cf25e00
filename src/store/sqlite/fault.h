#pragma once

// What SQLite's result codes mean for the caller of a store.
// Source: https://www.sqlite.org/rescode.html

#include <string_view>

#include <sqlite3.h>

#include "store/error.h"

namespace inventory::store::sqlite {

// The fault of an extended result code, while nothing has been committed. `text` is SQLite's own
// with it, which alone names the key that is violated.
//
// There is one writer, which reads the keys of our tables within the transaction that writes them.
// So a row that is there already is the sender's where a key of the operator's forbids it, and a
// fault of the database where one of ours does: `sqlite_sequence` was changed. What a trigger of
// the operator's raises, a foreign key, a column without a default, or SQL that fails for one row
// may be put right: `failing`.
Fault fault_of(int extended_code, std::string_view text);

// The last error of a connection, as a value that names the file and what was being done.
// `database` may be null: SQLite had no memory for it.
Error error_of(sqlite3* database, std::string_view file, std::string_view doing);

}  // namespace inventory::store::sqlite
