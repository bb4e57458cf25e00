#pragma once

// TableStatements: decides batches against the tables, in a transaction that the caller begins and
// ends.
//
// Reads what a batch needs, lets the domain decide, writes what changed. Statements are prepared
// once. Writes are in key order, so that neighbouring rows share pages. If a table has triggers,
// which may swallow a write (RAISE(IGNORE)) or overwrite it, what was written is read back.
//
// A row that somebody else wrote and that cannot be used for a decision is an error that names it:
// `failing`, with all products of the batch that have such a row.
//
// Owns:    its statements; the connection outlives it.
// Threads: the connection's.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "domain/command.h"
#include "domain/partition.h"
#include "store/error.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/statement.h"

namespace inventory::store::sqlite {

class TableStatements {
 public:
  // The schema must be current. `partition`: new items get its ids.
  static Result<TableStatements> prepare(Connection& connection, domain::Partition partition);

  Result<std::vector<domain::Decision>> execute(std::span<const domain::Command> commands,
                                                std::vector<domain::StockNews>* news = nullptr);

  // See Store::try_another(). The caller must roll back.
  Result<void> try_another(std::span<const domain::ProductId> products);

  // See Store::due_holds().
  Result<std::vector<domain::Hold>> due_holds(const std::optional<domain::Hold>& after,
                                              std::size_t count);

 private:
  TableStatements() = default;

  Result<domain::Command> draw_trial(std::span<const domain::ProductId> products);
  Result<void> read_stock(const domain::Needs& needs, domain::Books& books);
  Result<void> read_entries(const domain::Needs& needs, domain::Books& books);
  Result<void> read_requests(const domain::Needs& needs, domain::Books& books);
  Result<std::vector<domain::ProductId>> fresh_ids(const domain::Needs& needs);
  Result<void> write(const domain::Changes& changes);
  Result<void> write_items(const domain::Changes& changes);
  Result<void> write_holds(const domain::Changes& changes);
  Result<void> check(const domain::Needs& needs, const domain::Changes& changes);

  template <class Matches, class... Keys>
  static Result<bool> holds(Statement& statement, Matches matches, const Keys&... keys);
  Result<bool> has_triggers();

  std::string file_;
  domain::Partition partition_;
  Statement select_item_;
  Statement draw_;
  Statement update_item_;
  Statement insert_item_;
  Statement select_last_id_;
  Statement select_entry_;
  Statement insert_entry_;
  Statement select_request_;
  Statement insert_request_;
  Statement select_hold_;
  Statement insert_hold_;
  Statement delete_hold_;
  Statement select_due_;
  Statement count_triggers_;
};

}  // namespace inventory::store::sqlite
