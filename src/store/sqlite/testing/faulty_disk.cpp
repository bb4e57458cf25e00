#include "store/sqlite/testing/faulty_disk.h"

#include <list>
#include <utility>

namespace inventory::store::sqlite {
namespace {

FaultyDisk* current = nullptr;  // SQLite's file callbacks have no other way to find it

}  // namespace

// The real file's functions, some replaced by ours, which may fail. Each file points to one of
// these.
struct FaultyDisk::Methods : sqlite3_io_methods {
  const sqlite3_io_methods* real;
  bool of_database;

  static const Methods& of(const sqlite3_file* file) {
    return *static_cast<const Methods*>(file->pMethods);
  }

  // Never freed: SQLite may close files late.
  static const Methods* around(const sqlite3_io_methods* real, bool of_database,
                               bool shared_memory) {
    static std::mutex mutex;
    static std::list<Methods> all;
    const std::lock_guard lock(mutex);
    Methods& methods = all.emplace_back(Methods{*real, real, of_database});
    methods.xRead = read;
    methods.xWrite = write;
    methods.xSync = sync;
    methods.iVersion = shared_memory ? real->iVersion : 1;
    return &methods;
  }
};

FaultyDisk::FaultyDisk() : real_(sqlite3_vfs_find(nullptr)), vfs_(*real_) {
  vfs_.zName = "faulty";
  vfs_.xOpen = open;
  current = this;
  sqlite3_vfs_register(&vfs_, 1);
}

FaultyDisk::~FaultyDisk() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(real_, 1);
  current = nullptr;
}

void FaultyDisk::fail_after(int operations, Failure failure, std::function<void()> on_fault) {
  const std::lock_guard lock(mutex_);
  operations_left_ = operations;
  failure_ = failure;
  on_fault_ = std::move(on_fault);
  met_ = false;
}

bool FaultyDisk::disarm() {
  const std::lock_guard lock(mutex_);
  operations_left_ = -1;
  return met_;
}

void FaultyDisk::forget_database_writes() {
  const std::lock_guard lock(mutex_);
  database_written_ = false;
}

bool FaultyDisk::wait_for_database_write(std::chrono::seconds timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [this] { return database_written_; });
}

bool FaultyDisk::wait_for_fault(std::chrono::seconds timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [this] { return met_; });
}

int FaultyDisk::open(sqlite3_vfs* /*vfs*/, const char* name, sqlite3_file* file, int flags,
                     int* opened) {
  if (current->fails(Operation::open)) {
    file->pMethods = nullptr;
    return SQLITE_CANTOPEN;
  }
  const int code = current->real_->xOpen(current->real_, name, file, flags, opened);
  if (file->pMethods != nullptr) {
    file->pMethods = Methods::around(file->pMethods, (flags & SQLITE_OPEN_MAIN_DB) != 0,
                                     current->shared_memory_);
  }
  return code;
}

int FaultyDisk::read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
  return current->fails(Operation::read) ? SQLITE_IOERR_READ
                                         : Methods::of(file).real->xRead(file, data, size, offset);
}

int FaultyDisk::write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  const Methods& methods = Methods::of(file);
  if (current->fails(methods.of_database ? Operation::write_to_database : Operation::write)) {
    return current->failure_ == Failure::full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
  }
  const int code = methods.real->xWrite(file, data, size, offset);
  if (methods.of_database) {
    const std::lock_guard lock(current->mutex_);
    current->database_written_ = true;
    current->changed_.notify_all();
  }
  return code;
}

int FaultyDisk::sync(sqlite3_file* file, int flags) {
  return current->fails(Operation::sync) ? SQLITE_IOERR_FSYNC
                                         : Methods::of(file).real->xSync(file, flags);
}

bool FaultyDisk::fails(Operation operation) {
  std::function<void()> on_fault;
  {
    const std::lock_guard lock(mutex_);
    const bool write = operation == Operation::write || operation == Operation::write_to_database;
    const bool can_fail =
        failure_ == Failure::io_error || (failure_ == Failure::full && write) ||
        (failure_ == Failure::checkpoint && operation == Operation::write_to_database);
    if (!can_fail || operations_left_ < 0) {
      return false;
    }
    --operations_left_;
    if (operations_left_ >= 0) {
      return false;
    }
    met_ = true;
    changed_.notify_all();
    on_fault = std::exchange(on_fault_, {});
  }
  if (on_fault) {
    on_fault();
  }
  return true;
}

}  // namespace inventory::store::sqlite
