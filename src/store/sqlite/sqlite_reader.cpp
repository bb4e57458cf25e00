#include "store/sqlite/sqlite_reader.h"

#include <utility>

#include <sqlite3.h>

#include "store/sqlite/fault.h"
#include "store/sqlite/statement.h"
#include "store/sqlite/timestamp.h"

namespace inventory::store::sqlite {
namespace {

constexpr int kRecoveryWaitMs = 2'000;  // while a service recovers a log that a crash left

class SqliteReader : public Reader {
 public:
  explicit SqliteReader(std::string path) : path_(std::move(path)) {}

  Result<void> begin() override {
    handle_.reset();
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(
        path_.c_str(), &handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
        nullptr);
    handle_.reset(handle);
    if (code != SQLITE_OK) {
      return std::unexpected(error_of(handle, path_, "opening it to read"));
    }
    sqlite3_busy_timeout(handle, kRecoveryWaitMs);
    // A transaction sees the file as it is at its first read.
    for (const char* sql : {"BEGIN", "SELECT count(*) FROM inventory_migration"}) {
      if (sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
        return std::unexpected(error_of(handle, path_, "beginning to read"));
      }
    }
    return {};
  }

  Result<std::vector<Amount>> stock(domain::ProductId after, std::size_t count) override {
    return amounts("reading the stock",
                   "SELECT id, quantity FROM inventory WHERE id > ?1 ORDER BY id LIMIT ?2", after,
                   static_cast<std::int64_t>(count));
  }

  Result<std::vector<StoredItem>> items(domain::ProductId after, std::size_t count) override {
    auto statement = Statement::prepare(handle_.get(),
                                        "SELECT id, quantity, description, created_at "
                                        "FROM inventory WHERE id > ?1 ORDER BY id LIMIT ?2");
    if (!statement) {
      return std::unexpected(statement.error());
    }
    std::vector<StoredItem> items;
    auto read = statement->each(
        "reading items",
        [&](const Statement& row) {
          StoredItem& item = items.emplace_back();
          item.id = row.integer(0);
          item.quantity = row.integer(1);
          item.description = row.optional_text(2);
          item.created_at = to_timestamp(row.text(3));
          item.has_odd_time = !item.created_at && !row.is_null(3);
        },
        after, static_cast<std::int64_t>(count));
    if (!read) {
      return std::unexpected(read.error());
    }
    return items;
  }

  Result<std::vector<Amount>> ledger_sums(domain::ProductId after,
                                          domain::ProductId last) override {
    return amounts("adding up the ledger",
                   "SELECT product_id, sum(delta) AS deltas FROM inventory_ledger "
                   "WHERE product_id > ?1 AND product_id <= ?2 "
                   "GROUP BY product_id HAVING deltas <> 0 ORDER BY product_id",
                   after, last);
  }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close(handle); }
  };

  Result<std::vector<Amount>> amounts(std::string_view doing, std::string_view sql,
                                      std::int64_t first, std::int64_t second) {
    auto statement = Statement::prepare(handle_.get(), sql);
    if (!statement) {
      return std::unexpected(statement.error());
    }
    std::vector<Amount> amounts;
    auto read = statement->each(
        doing, [&](const Statement& row) { amounts.push_back({row.integer(0), row.integer(1)}); },
        first, second);
    if (!read) {
      return std::unexpected(read.error());
    }
    return amounts;
  }

  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace

std::unique_ptr<Reader> make_sqlite_reader(std::string path) {
  return std::make_unique<SqliteReader>(std::move(path));
}

}  // namespace inventory::store::sqlite
