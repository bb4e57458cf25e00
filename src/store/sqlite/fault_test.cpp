#include "store/sqlite/fault.h"

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inventory::store::sqlite {
namespace {

TEST(Fault, IsRetryableWhereAnotherWriterWasInTheWay) {
  for (const int code : {SQLITE_BUSY, SQLITE_BUSY_SNAPSHOT, SQLITE_LOCKED}) {
    EXPECT_EQ(fault_of(code, ""), Fault::retryable) << code;
  }
}

TEST(Fault, IsRefusedWhereTheTablesDoNotTakeTheData) {
  for (const int code :
       {SQLITE_CONSTRAINT_CHECK, SQLITE_CONSTRAINT_DATATYPE, SQLITE_CONSTRAINT_UNIQUE,
        SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_MISMATCH, SQLITE_TOOBIG, SQLITE_RANGE}) {
    EXPECT_EQ(fault_of(code, "UNIQUE constraint failed: of_the_owner.description"), Fault::refused)
        << code;
  }
}

TEST(Fault, IsUnavailableWhereTheFileCannotBeUsed) {
  for (const int code : {SQLITE_FULL, SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_IOERR_FSYNC,
                         SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_NOMEM}) {
    EXPECT_EQ(fault_of(code, ""), Fault::unavailable) << code;
  }
}

TEST(Fault, IsOfTheRequestsThatMeetItWhereTheOwnersSqlFails) {
  for (const int code : {SQLITE_CONSTRAINT_TRIGGER, SQLITE_CONSTRAINT_FOREIGNKEY,
                         SQLITE_CONSTRAINT_NOTNULL, SQLITE_ERROR, SQLITE_INTERRUPT}) {
    EXPECT_EQ(fault_of(code, ""), Fault::failing) << code;
  }
}

TEST(Fault, NamesTheFileTheWorkAndSqlitesOwnWords) {
  sqlite3* handle = nullptr;
  sqlite3_open(":memory:", &handle);
  const std::unique_ptr<sqlite3, int (*)(sqlite3*)> database(handle, sqlite3_close);
  sqlite3_exec(handle, "SELECT * FROM shirts", nullptr, nullptr, nullptr);
  EXPECT_EQ(
      error_of(handle, "/data/inventory.db", "reading the stock").what,
      "SQLite database /data/inventory.db: reading the stock: no such table: shirts (code 1)");
}

}  // namespace
}  // namespace inventory::store::sqlite
