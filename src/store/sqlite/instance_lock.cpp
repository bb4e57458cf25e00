#include "store/sqlite/instance_lock.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

namespace inventory::store::sqlite {
namespace {

std::string last_system_error() { return std::system_category().message(errno); }

// " (process 123)", or empty if the holder has not written its number yet.
std::string holder(int descriptor) {
  std::array<char, 16> digits{};
  const ssize_t size = pread(descriptor, digits.data(), digits.size(), 0);
  const std::string_view text(digits.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  if (text.empty() || text.find_first_not_of("0123456789") != text.npos) {
    return "";
  }
  return fmt::format(" (process {})", text);
}

// For people and for a second instance's error text: the lock works without it.
void leave_process_number(int descriptor) {
  const std::string number = std::to_string(getpid());
  if (ftruncate(descriptor, 0) == 0) {
    [[maybe_unused]] const ssize_t written = pwrite(descriptor, number.data(), number.size(), 0);
  }
}

}  // namespace

Result<InstanceLock> InstanceLock::take(const std::string& database) {
  const std::string path = database + "-lock";
  InstanceLock lock(path, open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (lock.descriptor_ < 0) {
    return std::unexpected(
        Error{Fault::unavailable, fmt::format("SQLite database {}: opening its lock file {}: {}",
                                              database, path, last_system_error())});
  }
  if (flock(lock.descriptor_, LOCK_EX | LOCK_NB) == 0) {
    leave_process_number(lock.descriptor_);
    return lock;
  }
  if (errno == EWOULDBLOCK) {
    return std::unexpected(
        Error{Fault::unavailable,
              fmt::format("SQLite database {}: another instance{} has it open, and SQLite admits "
                          "one instance a file (lock file {}); stop that one, or run several "
                          "instances on PostgreSQL",
                          database, holder(lock.descriptor_), path)});
  }
  return std::unexpected(Error{
      Fault::unavailable,
      fmt::format("SQLite database {}: locking {}: {}", database, path, last_system_error())});
}

bool InstanceLock::in_place() const {
  struct stat held{};
  struct stat found{};
  return fstat(descriptor_, &held) == 0 && stat(path_.c_str(), &found) == 0 &&
         held.st_dev == found.st_dev && held.st_ino == found.st_ino;
}

InstanceLock::InstanceLock(InstanceLock&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

InstanceLock& InstanceLock::operator=(InstanceLock&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

InstanceLock::~InstanceLock() {
  if (descriptor_ >= 0) {
    close(descriptor_);
  }
}

}  // namespace inventory::store::sqlite
