#include "store/sqlite/connection.h"

#include <string_view>

#include <fmt/format.h>

#include "store/sqlite/fault.h"
#include "store/sqlite/statement.h"

namespace inventory::store::sqlite {
namespace {

// Long enough for a transaction of another program, short enough for a caller that waits.
constexpr int kBusyTimeoutMs = 2'000;

// Enough for the pages of some hundred thousand products and the inner pages of a large ledger.
constexpr std::string_view kCacheSize = "-32768";  // KiB, since it is negative

// A log that grew because of a long reader is truncated to this when it restarts. Twice its size
// when a checkpoint is due during work: truncating it every time would cost a sync.
constexpr std::string_view kLogBytesKept = "134217728";

// A statement checks the clock once in this many steps, that is, in some tenths of a millisecond.
constexpr int kStepsBetweenLooks = 10'000;

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::string& file, Missing missing) {
  std::unique_ptr<Connection> connection(new Connection(file));
  const int create = missing == Missing::create ? SQLITE_OPEN_CREATE : 0;
  // NOMUTEX: the connection stays on one thread.
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | create;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &handle, flags, nullptr);
  connection->handle_.reset(handle);
  if (code != SQLITE_OK) {
    return std::unexpected(error_of(handle, file, "opening it"));
  }
  if (auto configured = connection->configure(); !configured) {
    return std::unexpected(configured.error());
  }
  return connection;
}

Result<std::unique_ptr<Connection>> Connection::open_to_look(const std::string& file) {
  std::unique_ptr<Connection> connection(new Connection(file));
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(file.c_str(), &handle,
                      SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  connection->handle_.reset(handle);
  if (code != SQLITE_OK) {
    return std::unexpected(error_of(handle, file, "opening it to look"));
  }
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  return connection;
}

Result<void> Connection::configure() {
  sqlite3* database = handle_.get();
  sqlite3_busy_timeout(database, kBusyTimeoutMs);
  // SQLite silently opens a file that it may not write as read-only.
  if (sqlite3_db_readonly(database, "main") == 1) {
    return std::unexpected(
        Error{Fault::unavailable, fmt::format("SQLite database {}: it is read-only", file_)});
  }
  std::string mode;
  auto statement = Statement::prepare(database, "PRAGMA journal_mode = WAL");
  if (!statement) {
    return std::unexpected(statement.error());
  }
  auto set = statement->each("switching to write-ahead logging",
                             [&](const Statement& row) { mode = row.text(0); });
  if (!set) {
    return set;
  }
  if (mode != "wal") {
    return std::unexpected(
        Error{Fault::unavailable,
              fmt::format("SQLite database {}: write-ahead logging is not possible here, the "
                          "journal mode stays {}",
                          file_, mode)});
  }
  const auto settings = fmt::format(
      "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
      "PRAGMA cache_size = {}; PRAGMA journal_size_limit = {}",
      kCacheSize, kLogBytesKept);
  if (auto done = execute(settings.c_str(), "setting it up"); !done) {
    return done;
  }
  sqlite3_progress_handler(
      database, kStepsBetweenLooks,
      [](void* self) {
        const bool is_late =
            std::chrono::steady_clock::now() > static_cast<Connection*>(self)->deadline_;
        return is_late ? 1 : 0;
      },
      this);
  // Called after each commit with the number of pages in the log.
  sqlite3_wal_hook(
      database,
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<Connection*>(self)->log_pages_ = pages;
        return SQLITE_OK;
      },
      this);
  return {};
}

Result<void> Connection::begin() {
  // Commits to a file that was deleted or replaced would be lost with the process.
  int moved = 0;
  sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  if (moved != 0) {
    return std::unexpected(Error{
        Fault::unavailable,
        fmt::format("SQLite database {}: the file was moved or deleted while it was open", file_)});
  }
  return execute("BEGIN IMMEDIATE", "beginning a transaction");
}

Result<void> Connection::commit() {
  auto committed = execute("COMMIT", "committing");
  if (committed) {
    return committed;
  }
  // SQLite treats the commit as failed and overwrites its pages with the next. But if the process
  // ends before that, recovery accepts a commit whose pages are all in the log: perhaps only the
  // sync failed. On a full disk, pages are missing.
  Error error = committed.error();
  if ((sqlite3_extended_errcode(handle_.get()) & 0xff) == SQLITE_IOERR) {
    error.fault = Fault::in_doubt;
    error.what += "; it is not known whether the batch was written";
  } else {
    error.what += "; nothing was written";
  }
  rollback();
  return std::unexpected(std::move(error));
}

void Connection::interrupt_after(std::chrono::milliseconds limit) {
  deadline_ = std::chrono::steady_clock::now() + limit;
}

void Connection::rollback() {
  // After some errors SQLite has rolled back by itself. If this fails, closing does it.
  if (sqlite3_get_autocommit(handle_.get()) == 0) {
    sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

void Connection::checkpoint() {
  int in_log = 0;
  int copied = 0;
  const int code =
      sqlite3_wal_checkpoint_v2(handle_.get(), "main", SQLITE_CHECKPOINT_PASSIVE, &in_log, &copied);
  if (code == SQLITE_OK && in_log == copied) {
    log_pages_ = 0;
  }
}

Result<void> Connection::execute(const char* sql, const char* doing) {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return std::unexpected(error_of(handle_.get(), file_, doing));
  }
  return {};
}

}  // namespace inventory::store::sqlite
