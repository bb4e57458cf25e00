#include "store/sqlite/database_file.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "store/sqlite/schema.h"
#include "store/store.h"

namespace inventory::store::sqlite {
namespace {

// 64 MiB of 4 KiB pages. A checkpoint during work takes about 30 ms regardless of its size, and a
// smaller log needs more of them, for the same hot pages: with 4 MiB 40,000 orders/s were decided
// in batches of 500, with 16 MiB 58,000, with 64 MiB 70,000.
constexpr int kLogPagesMax = 16'384;

Error too_many(const std::string& path, std::size_t count) {
  return {Fault::refused,
          fmt::format("SQLite database {}: a batch of {} requests is larger than {}", path, count,
                      kBatchMax)};
}

// An error in reading, using or migrating the schema is not due to a request.
template <class T>
Result<T> of_the_database(Result<T> result) {
  if (!result && result.error().fault == Fault::failing) {
    result.error().fault = Fault::unavailable;
  }
  return result;
}

}  // namespace

template <class Work>
std::invoke_result_t<Work> DatabaseFile::in_transaction(Work work) {
  if (auto begun = connection_->begin(); !begun) {
    return failed(begun.error());
  }
  auto result = work();
  if (!result) {
    return failed(result.error());
  }
  if (auto committed = connection_->commit(); !committed) {
    return failed(committed.error());
  }
  return result;
}

template <class Work>
std::invoke_result_t<Work> DatabaseFile::in_trial(Work work) {
  if (auto begun = connection_->begin(); !begun) {
    return failed(begun.error());
  }
  auto result = work();
  if (!result) {
    return failed(result.error());
  }
  connection_->rollback();
  return result;
}

template <class Work>
std::invoke_result_t<Work> DatabaseFile::limited(std::chrono::milliseconds limit, Work work) {
  connection_->interrupt_after(std::min(limit, statements_max_));
  auto result = work();
  connection_->never_interrupt();
  return result;
}

// Uses a connection of its own without the instance lock, so an instance may have the file open.
Result<MigrationPlan> DatabaseFile::plan_migration() const {
  std::error_code failure;
  if (!std::filesystem::exists(path_, failure)) {
    return plan_without_file(path_);
  }
  const auto connection = Connection::open_to_look(path_);
  if (!connection) {
    return std::unexpected(connection.error());
  }
  return plan_migrations(**connection, owner_);
}

Result<int> DatabaseFile::migrate() {
  tables_.reset();  // prepared for the old schema
  if (auto connected = connect(Connection::Missing::create); !connected) {
    return failed(connected.error());
  }
  return in_transaction([&] { return of_the_database(apply_migrations(*connection_, owner_)); });
}

Result<void> DatabaseFile::ready() {
  if (auto opened = open(); !opened) {
    return failed(opened.error());
  }
  return in_transaction([] { return Result<void>(); });
}

Result<std::vector<domain::Decision>> DatabaseFile::execute(
    std::span<const domain::Command> commands, std::chrono::milliseconds limit,
    std::vector<domain::StockNews>* news) {
  if (commands.size() > kBatchMax) {
    return std::unexpected(too_many(path_, commands.size()));
  }
  if (auto opened = open(); !opened) {
    return failed(opened.error());
  }
  return in_transaction(
      [&] { return limited(limit, [&] { return tables_->execute(commands, news); }); });
}

Result<void> DatabaseFile::try_another(std::span<const domain::ProductId> products) {
  if (auto opened = open(); !opened) {
    return failed(opened.error());
  }
  return in_trial(
      [&] { return limited(statements_max_, [&] { return tables_->try_another(products); }); });
}

Result<std::vector<domain::Hold>> DatabaseFile::due_holds(const std::optional<domain::Hold>& after,
                                                          std::size_t count) {
  if (auto opened = open(); !opened) {
    return failed(opened.error());
  }
  return in_transaction(
      [&] { return limited(statements_max_, [&] { return tables_->due_holds(after, count); }); });
}

bool DatabaseFile::wants_checkpoint() const { return connection_ && connection_->log_pages() > 0; }

bool DatabaseFile::needs_checkpoint() const {
  return connection_ && connection_->log_pages() > log_pages_max_;
}

void DatabaseFile::checkpoint() {
  if (connection_) {
    connection_->checkpoint();
    // While a reader keeps the log from being reset, a checkpoint after each commit would be costly
    // and useless.
    log_pages_max_ = connection_->log_pages() + kLogPagesMax;
  }
}

Result<void> DatabaseFile::connect(Connection::Missing missing) {
  if (connection_) {
    return {};
  }
  // With links resolved: two names of one file must lead to the same lock.
  std::error_code failure;
  const std::string file = std::filesystem::weakly_canonical(path_, failure).string();
  if (failure || file.empty()) {
    return std::unexpected(Error{
        Fault::unavailable,
        fmt::format("SQLite database \"{}\": not a path to a file: {}", path_, failure.message())});
  }
  if (missing == Connection::Missing::refuse && !std::filesystem::exists(file, failure)) {
    return std::unexpected(
        Error{Fault::unavailable,
              fmt::format("SQLite database {}: there is no such file; migrate to make it", file)});
  }
  if (!lock_ || !lock_->in_place()) {
    lock_.reset();
    auto lock = InstanceLock::take(file);
    if (!lock) {
      return std::unexpected(lock.error());
    }
    lock_ = std::move(*lock);
  }
  auto connection = Connection::open(file, missing);
  if (!connection) {
    return std::unexpected(connection.error());
  }
  connection_ = std::move(*connection);
  log_pages_max_ = kLogPagesMax;
  return {};
}

Result<void> DatabaseFile::open() {
  if (tables_) {
    return {};
  }
  if (auto connected = connect(Connection::Missing::refuse); !connected) {
    return connected;
  }
  if (auto current =
          of_the_database(check_schema(connection_->handle(), connection_->file(), owner_));
      !current) {
    return current;
  }
  auto tables = of_the_database(
      TableStatements::prepare(*connection_, owner_.partition.value_or(domain::Partition())));
  if (!tables) {
    return std::unexpected(tables.error());
  }
  tables_ = std::move(*tables);
  return {};
}

std::unexpected<Error> DatabaseFile::failed(Error error) {
  if (connection_) {
    connection_->rollback();
  }
  if (error.fault == Fault::unavailable || error.fault == Fault::in_doubt) {
    close();
  } else if (error.fault == Fault::failing) {
    tables_.reset();  // the next call checks the schema again
  }
  return std::unexpected(std::move(error));
}

void DatabaseFile::close() {
  tables_.reset();
  connection_.reset();
}

}  // namespace inventory::store::sqlite
