#pragma once

// BatchReads: the first round trip of a batch: locks and reads what it needs, each statement only
// where something needs it.
//
// Owns: nothing; session and needs outlive it.

#include <cstddef>
#include <optional>

#include "domain/books.h"
#include "domain/partition.h"
#include "store/postgres/session.h"
#include "store/store.h"

namespace inventory::store::postgres {

class BatchReads {
 public:
  // Queues the statements, behind BEGIN.
  BatchReads(Session& session, const domain::Needs& needs, Locks locks,
             domain::Partition partition);

  // Tells the books what was found. `results` are the segment's.
  // Errors: locked with products, where Locks::skip skipped some; failing with products, where rows
  // hold what nothing can be decided by; retryable, where ids run short.
  Result<void> fill(domain::Books& books, const Results& results) const;

 private:
  // Places in the segment, behind BEGIN.
  using Place = std::optional<std::size_t>;

  Place execute(const Statement& statement, std::initializer_list<std::string_view> parameters);
  Result<void> check_none_skipped(const PGresult* items, const PGresult* found) const;
  Result<void> fill_fresh_ids(domain::Books& books, const PGresult* rows) const;

  Session& session_;
  const domain::Needs& needs_;
  std::size_t queued_ = 1;
  Place items_, entries_, requests_, ids_, now_, skipped_;
};

// Whether an item is there now that was not when the batch has read its items.
Task<Result<bool>> has_appeared(Session& session, const domain::Needs& needs,
                                const domain::Books& books, Deadline deadline);

}  // namespace inventory::store::postgres
