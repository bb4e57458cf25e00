#include "store/sqlite/testing/sqlite_test_database.h"

#include <cstdlib>
#include <memory>
#include <stdexcept>

#include <fmt/format.h>
#include <sqlite3.h>

#include "store/sqlite/sqlite_archiver.h"
#include "store/sqlite/sqlite_reader.h"
#include "store/sqlite/sqlite_store.h"

namespace inventory::store::sqlite {

TestFolder::TestFolder() {
  std::string name = std::filesystem::temp_directory_path() / "inventory-sqlite-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("no folder could be made at " + name);
  }
  path_ = name;
}

TestFolder::~TestFolder() {
  std::error_code ignored;  // leftover files are no reason to end the program
  std::filesystem::remove_all(path_, ignored);
}

std::unique_ptr<Store> SqliteTestDatabase::open(boost::asio::any_io_executor executor) {
  return make_sqlite_store(std::move(executor), {.path = path()});
}

std::unique_ptr<Store> SqliteTestDatabase::open_as(boost::asio::any_io_executor executor,
                                                   const TablesOwner& owner) {
  return make_sqlite_store(std::move(executor), {.path = path(), .owner = owner});
}

std::unique_ptr<Reader> SqliteTestDatabase::open_reader() {
  return make_sqlite_reader({.path = path()});
}

std::unique_ptr<Archiver> SqliteTestDatabase::open_archiver() {
  return make_sqlite_archiver({.path = path()});
}

std::optional<domain::Quantity> SqliteTestDatabase::on_hand(domain::ProductId product) {
  const auto quantity = query(fmt::format("SELECT quantity FROM inventory WHERE id = {}", product));
  return quantity ? std::optional(std::stoll(*quantity)) : std::nullopt;
}

domain::Quantity SqliteTestDatabase::ledger_sum(domain::ProductId product) {
  const auto sum =
      query(fmt::format("SELECT sum(delta) FROM inventory_ledger WHERE product_id = {}", product));
  return sum ? std::stoll(*sum) : 0;
}

void SqliteTestDatabase::make_python_table() {
  execute(
      "CREATE TABLE inventory (id INTEGER NOT NULL, quantity INTEGER, description VARCHAR, "
      "created_at DATETIME, PRIMARY KEY (id))");
}

void SqliteTestDatabase::execute(const std::string& sql) { query(sql); }

void SqliteTestDatabase::swallow_updates_of_the_ledger() {
  execute(
      "CREATE TRIGGER swallowing BEFORE UPDATE ON inventory_ledger BEGIN SELECT RAISE(IGNORE); "
      "END");
}

void SqliteTestDatabase::meddle_with_updates(conformance::Meddling meddling,
                                             domain::ProductId product) {
  using conformance::Meddling;
  const bool overwrites = meddling == Meddling::overwrite;
  const auto done =
      overwrites
          ? fmt::format("UPDATE inventory SET quantity = OLD.quantity WHERE id = {}", product)
      : meddling == Meddling::swallow ? "SELECT RAISE(IGNORE)"
                                      : "SELECT RAISE(ABORT, 'on hold')";
  execute(
      fmt::format("CREATE TRIGGER meddling {} UPDATE ON inventory WHEN NEW.id = {} BEGIN {}; END",
                  overwrites ? "AFTER" : "BEFORE", product, done));
}

void SqliteTestDatabase::copy_as_after_a_crash(const SqliteTestDatabase& other) {
  for (const std::string suffix : {"", "-wal"}) {
    if (std::filesystem::exists(other.path() + suffix)) {
      std::filesystem::copy_file(other.path() + suffix, path() + suffix);
    }
  }
}

std::optional<std::string> SqliteTestDatabase::query(const std::string& sql) {
  sqlite3* handle = nullptr;
  const int opened = sqlite3_open(path().c_str(), &handle);
  const std::unique_ptr<sqlite3, int (*)(sqlite3*)> database(handle, sqlite3_close);
  sqlite3_busy_timeout(handle, 10'000);
  std::optional<std::string> first;
  const auto keep_first = [](void* result, int, char** values, char**) {
    auto& text = *static_cast<std::optional<std::string>*>(result);
    if (!text && values[0] != nullptr) {
      text = values[0];
    }
    return 0;
  };
  if (opened != SQLITE_OK ||
      sqlite3_exec(handle, sql.c_str(), keep_first, &first, nullptr) != SQLITE_OK) {
    throw std::runtime_error(fmt::format("{}: {}", sql, sqlite3_errmsg(handle)));
  }
  return first;
}

conformance::Adapter sqlite_adapter() {
  return {.name = "Sqlite", .several_instances = false, .make_database = [] {
            return std::make_unique<SqliteTestDatabase>();
          }};
}

}  // namespace inventory::store::sqlite
