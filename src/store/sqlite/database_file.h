#pragma once

// DatabaseFile: a Store's functions, but blocking: opens the file when a call needs it, runs each
// batch in one transaction, and closes the file if it fails, so that the next call reopens it.
//
// Owns:    the instance lock on the file, from the first opening until destroyed; the connection.
// Threads: one, the store's own.
// Errors:  see Store; the text names the file and what was being done.

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "store/migration_plan.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/instance_lock.h"
#include "store/sqlite/sqlite_store.h"
#include "store/sqlite/table_statements.h"

namespace inventory::store::sqlite {

class DatabaseFile {
 public:
  explicit DatabaseFile(SqliteOptions options)
      : path_(std::move(options.path)),
        owner_(options.owner),
        statements_max_(options.statements_max) {}

  Result<MigrationPlan> plan_migration() const;
  Result<int> migrate();
  Result<void> ready();
  // Statements together take at most the time in the options, or `limit` if that is less.
  Result<std::vector<domain::Decision>> execute(std::span<const domain::Command> commands,
                                                std::chrono::milliseconds limit,
                                                std::vector<domain::StockNews>* news);
  Result<void> try_another(std::span<const domain::ProductId> products);

  Result<std::vector<domain::Hold>> due_holds(const std::optional<domain::Hold>& after,
                                              std::size_t count);

  // A checkpoint has something to copy: call checkpoint() when nobody waits.
  bool wants_checkpoint() const;

  // The log is so large that a checkpoint is due even if somebody waits.
  bool needs_checkpoint() const;

  void checkpoint();

 private:
  Result<void> connect(Connection::Missing missing);
  Result<void> open();

  // Runs `work()`, which returns a Result, in a transaction of its own.
  template <class Work>
  std::invoke_result_t<Work> in_transaction(Work work);

  // The same, but rolls back.
  template <class Work>
  std::invoke_result_t<Work> in_trial(Work work);

  // Runs `work()` within a transaction and interrupts it after `limit`.
  template <class Work>
  std::invoke_result_t<Work> limited(std::chrono::milliseconds limit, Work work);

  // Rolls back, closes the file if it does not work, and passes the error on.
  std::unexpected<Error> failed(Error error);
  void close();

  std::string path_;
  TablesOwner owner_;
  std::chrono::milliseconds statements_max_;
  std::optional<InstanceLock> lock_;
  std::unique_ptr<Connection> connection_;
  // Set while the schema is current; destroyed before the connection.
  std::optional<TableStatements> tables_;
  int log_pages_max_ = 0;
};

}  // namespace inventory::store::sqlite
