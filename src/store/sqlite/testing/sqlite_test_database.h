#pragma once

// A SQLite file in a folder of its own, for tests: initially empty, removed with the object. Tests
// look into it through a separate connection, as another program would.

#include <filesystem>
#include <string>

#include "store/testing/conformance.h"

namespace inventory::store::sqlite {

// A new folder that is removed with the object.
class TestFolder {
 public:
  TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class SqliteTestDatabase : public conformance::TestDatabase {
 public:
  std::string path() const { return folder_.path() / "inventory.db"; }

  std::unique_ptr<Store> open(boost::asio::any_io_executor executor) override;
  std::unique_ptr<Store> open_as(boost::asio::any_io_executor executor,
                                 const TablesOwner& owner) override;
  std::unique_ptr<Reader> open_reader() override;
  std::unique_ptr<Archiver> open_archiver() override;
  std::optional<domain::Quantity> on_hand(domain::ProductId product) override;
  domain::Quantity ledger_sum(domain::ProductId product) override;
  void make_python_table() override;
  void execute(const std::string& sql) override;
  void swallow_updates_of_the_ledger() override;
  void meddle_with_updates(conformance::Meddling meddling, domain::ProductId product) override;

  // Makes this a copy of another database as a crash at this moment would leave it: the file and
  // its write-ahead log, without what the kernel keeps only while processes run.
  void copy_as_after_a_crash(const SqliteTestDatabase& other);

  // The first column of the first row; empty if there is no row. Throws on failure.
  std::optional<std::string> query(const std::string& sql);

 private:
  TestFolder folder_;
};

conformance::Adapter sqlite_adapter();

}  // namespace inventory::store::sqlite
