#pragma once

// InstanceLock: keeps a second instance away from a database file, but not readers.
//
// SQLite's own locks cannot do this: they last only for a transaction, and its exclusive locking
// mode also excludes readers. So an instance holds a flock(2) on a separate file beside the
// database, `<database>-lock`. The kernel releases it when the process ends, however it ends. The
// file is never deleted: a process that has just opened a deleted one would hold a lock that nobody
// else sees.

#include <string>
#include <utility>

#include "store/error.h"

namespace inventory::store::sqlite {

class InstanceLock {
 public:
  // `database` is the absolute path of the database file, symbolic links resolved.
  // Errors: unavailable, if another instance holds it or the lock file cannot be opened.
  static Result<InstanceLock> take(const std::string& database);

  // Whether the lock file is still the one at its path. If somebody has deleted it or moved the
  // whole folder, another instance may hold a new one.
  bool in_place() const;

  InstanceLock(InstanceLock&& other) noexcept;
  InstanceLock& operator=(InstanceLock&& other) noexcept;
  ~InstanceLock();

 private:
  InstanceLock(std::string path, int descriptor)
      : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_;
};

}  // namespace inventory::store::sqlite
