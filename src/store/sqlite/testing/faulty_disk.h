#pragma once

// FaultyDisk: while it exists, all of SQLite's file access goes through it, with faults on request.
// For tests.
//
// Registers itself as SQLite's default VFS. It forwards everything to the real one, but fails the
// read, write, sync or open that the test chose.
//
// Threads: any; one FaultyDisk at a time; it must outlive the connections made meanwhile.
// Source:  https://www.sqlite.org/vfs.html

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

#include <sqlite3.h>

namespace inventory::store::sqlite {

class FaultyDisk {
 public:
  enum class Failure {
    io_error,    // a read, a write, a sync or an open fails
    full,        // a write fails because the disk is full
    checkpoint,  // a write to the database file itself fails: with a WAL, in a checkpoint
  };

  FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;
  ~FaultyDisk();

  // Lets this many operations of the kind pass, then fails one. `on_fault` runs at that moment, on
  // the thread that met the fault.
  void fail_after(int operations, Failure failure, std::function<void()> on_fault = {});

  // Stops the faults. Returns whether one was met.
  bool disarm();

  // Files opened from now on have no shared memory, as on a file system that cannot map files.
  void deny_shared_memory() { shared_memory_ = false; }

  // Waits for a write to the database file itself since forget_database_writes(): with a
  // write-ahead log, by a checkpoint. False at the timeout.
  void forget_database_writes();
  bool wait_for_database_write(std::chrono::seconds timeout);

  // Waits until the fault was met. False at the timeout.
  bool wait_for_fault(std::chrono::seconds timeout);

 private:
  enum class Operation { open, read, write, write_to_database, sync };
  struct Methods;

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* opened);
  static int read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset);
  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset);
  static int sync(sqlite3_file* file, int flags);

  // Whether this operation is the one that fails.
  bool fails(Operation operation);

  sqlite3_vfs* real_;
  sqlite3_vfs vfs_;
  bool shared_memory_ = true;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool database_written_ = false;
  int operations_left_ = -1;  // negative: no fault
  Failure failure_ = Failure::io_error;
  std::function<void()> on_fault_;
  bool met_ = false;
};

}  // namespace inventory::store::sqlite
