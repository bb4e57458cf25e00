#include "store/sqlite/fault.h"

#include <fmt/format.h>

namespace inventory::store::sqlite {
namespace {

// What an operator must know beyond SQLite's own words.
std::string_view hint_of(int extended_code) {
  switch (extended_code & 0xff) {
    case SQLITE_CORRUPT:
      return "; the file is damaged: restore it from a backup";
    case SQLITE_NOTADB:
      return "; the file is something else than a SQLite database";
    case SQLITE_FULL:
      return "; make room and the same requests will pass";
    default:
      return "";
  }
}

}  // namespace

Fault fault_of(int extended_code) {
  if (extended_code == SQLITE_CONSTRAINT_PRIMARYKEY || extended_code == SQLITE_CONSTRAINT_UNIQUE ||
      extended_code == SQLITE_CONSTRAINT_ROWID) {
    return Fault::retryable;  // an identity that another writer has just stored
  }
  switch (extended_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Fault::retryable;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_RANGE:
      return Fault::refused;
    default:
      return Fault::unavailable;
  }
}

Error error_of(sqlite3* database, std::string_view file, std::string_view doing) {
  const int code = sqlite3_extended_errcode(database);
  return {fault_of(code), fmt::format("SQLite database {}: {}: {} (code {}){}", file, doing,
                                      sqlite3_errmsg(database), code, hint_of(code))};
}

}  // namespace inventory::store::sqlite
