#pragma once

// Connection: one writing connection to a SQLite file: settings, transactions, checkpoints.
//
// Durability: the write-ahead log (WAL) with synchronous=FULL. A commit appends the changed pages
// to `<file>-wal` and syncs it; NORMAL would not, and a power cut could undo the last commits. A
// checkpoint copies pages from the log into the file; then the log is written from its start again.
// SQLite's automatic checkpoints run inside some commit and delay it (13 to 36 ms at the 99th
// percentile), so they are off; checkpoint() is called when nobody waits.
//
// Threads: one.
// Errors:  name the file, what was being done, and SQLite's own words.
// Source:  https://www.sqlite.org/wal.html

#include <memory>
#include <string>

#include <sqlite3.h>

#include "store/error.h"

namespace inventory::store::sqlite {

class Connection {
 public:
  enum class Missing { create, refuse };  // what to do if there is no file

  // `file` is an absolute path. A file that cannot be written is an error here.
  static Result<std::unique_ptr<Connection>> open(const std::string& file, Missing missing);

  // Opens an existing file for reading only, and changes none of its settings.
  static Result<std::unique_ptr<Connection>> open_to_look(const std::string& file);

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  sqlite3* handle() const { return handle_.get(); }
  const std::string& file() const { return file_; }

  // BEGIN IMMEDIATE: takes the write lock at once, so that nothing read can change before it is
  // written back. Waits at most kBusyTimeoutMs for another writer.
  Result<void> begin();

  // Errors: in_doubt if the disk failed while the commit was written, because it may be complete
  // when the file is next opened; after any other error, nothing was written. The transaction is
  // over.
  Result<void> commit();

  // Rolls back the transaction, if there is one.
  void rollback();

  // From now on until never_interrupt(), statements still running after `limit` fail with
  // SQLITE_INTERRUPT, and so does the transaction. No statement may run for ever: all others wait
  // for it.
  void interrupt_after(std::chrono::milliseconds limit);
  void never_interrupt() { deadline_ = std::chrono::steady_clock::time_point::max(); }

  // Pages in the write-ahead log that no checkpoint has copied yet.
  int log_pages() const { return log_pages_; }

  // Copies the log into the file, as far as readers allow, without waiting for them. A failure
  // loses nothing: the log is still complete, and the next checkpoint tries again.
  void checkpoint();

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close(handle); }
  };

  explicit Connection(std::string file) : file_(std::move(file)) {}

  Result<void> configure();
  Result<void> execute(const char* sql, const char* doing);

  std::string file_;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
  int log_pages_ = 1;  // unknown: a crash may have left a log
  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace inventory::store::sqlite
