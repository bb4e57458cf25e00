#pragma once

// Maps SQLite's result codes to faults of a store.
// Source: https://www.sqlite.org/rescode.html

#include <string_view>

#include <sqlite3.h>

#include "store/error.h"

namespace inventory::store::sqlite {

// The fault for an extended result code, as long as nothing has been committed. `text` is SQLite's
// message, the only place that names the violated key.
//
// There is one writer, which reads the keys of our tables within the transaction that writes them.
// So a duplicate is the sender's fault if it violates a key that the operator added, and the
// database's if it violates one of ours: `sqlite_sequence` was changed. The operator can fix an
// error raised by a trigger, a foreign key, a column without a default, or SQL that fails for one
// row: `failing`.
Fault fault_of(int extended_code, std::string_view text);

// The last error of a connection, with the file and what was being done. `database` may be null:
// SQLite was out of memory.
Error error_of(sqlite3* database, std::string_view file, std::string_view doing);

}  // namespace inventory::store::sqlite
