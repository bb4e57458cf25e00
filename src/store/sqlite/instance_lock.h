#pragma once

// InstanceLock: keeps a second instance away from a database file, while readers come and go.
//
// SQLite's own locks cannot say "one instance": they last as long as a transaction, and its
// exclusive locking mode shuts readers out as well. So an instance holds a flock(2) on a file of
// its own beside the database, `<database>-lock`. The kernel releases it when the process ends,
// however it ends. The file is never deleted: a process that had just opened the deleted one would
// hold a lock that nobody else can see.

#include <string>

#include "store/error.h"

namespace inventory::store::sqlite {

class InstanceLock {
 public:
  // `database` is the absolute path of the database file, symbolic links resolved.
  // Errors: unavailable, where another instance holds it or the lock file cannot be opened.
  static Result<InstanceLock> take(const std::string& database);

  InstanceLock(InstanceLock&& other) noexcept;
  InstanceLock& operator=(InstanceLock&& other) noexcept;
  ~InstanceLock();

 private:
  explicit InstanceLock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
};

}  // namespace inventory::store::sqlite
