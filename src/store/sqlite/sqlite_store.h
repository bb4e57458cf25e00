#pragma once

// The SQLite adapter of the store, for one instance on one machine.
//
// Owns:      a thread that runs all of SQLite, so that the caller's event loop never blocks; and,
//            from the first call on, the instance lock on the file (`<path>-lock`). Other programs
//            may read the file meanwhile.
// Threads:   create, call and destroy it on the executor's thread; results arrive there. The
//            executor's context outlives the store.
// Cancelled: ignored: a call ends when SQLite has answered. It waits at most 2 s for each other
//            writer that it meets, plus the time for the disk.
// Destroyed: waits for the call that SQLite is working on; calls that have not begun end with
//            link_lost. Either way the callers get their result when the executor runs next. A call
//            that was made but not yet awaited must not be awaited after that.
// Errors:    retryable    another program is writing to the file;
//            unavailable  missing, read-only, full, damaged, not migrated, or open in another
//                         instance. The next call reopens the file;
//            in_doubt     the disk failed while a commit was written;
//            refused      a batch contains something that the tables do not accept;
//            failing      a trigger fails, or the statements of a batch take too long.
// Not:       several instances on one file; a file on a network file system.

#include <chrono>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "store/store.h"
#include "store/tables_owner.h"

namespace inventory::store::sqlite {

struct SqliteOptions {
  std::string path;  // of the database file; migrate() creates it if missing
  TablesOwner owner = {};

  // How long the statements of a call may take together, without BEGIN, COMMIT and migrations; with
  // Locks::skip 250 ms. Checked every 10,000 steps of SQLite's virtual machine.
  std::chrono::milliseconds statements_max{3'000};
};

std::unique_ptr<Store> make_sqlite_store(boost::asio::any_io_executor executor,
                                         SqliteOptions options);

}  // namespace inventory::store::sqlite
