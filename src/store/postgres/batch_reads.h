#pragma once

// BatchReads: the first round trip of a batch: locks and reads what it needs, and omits statements
// that nothing needs.
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
  // Queues the statements, after BEGIN.
  BatchReads(Session& session, const domain::Needs& needs, Locks locks,
             domain::Partition partition);

  // Fills the books with what was read. `results` are the segment's.
  // Errors: locked with products, if Locks::skip skipped any; failing with products, if rows are
  // unreadable; retryable, if there are too few ids.
  Result<void> fill(domain::Books& books, const Results& results) const;

 private:
  // Positions in the segment, after BEGIN.
  using Place = std::optional<std::size_t>;

  Place execute(const Statement& statement, std::initializer_list<std::string_view> parameters);
  Result<void> check_none_skipped(const PGresult* items, const PGresult* found) const;
  Result<void> fill_fresh_ids(domain::Books& books, const PGresult* rows) const;

  Session& session_;
  const domain::Needs& needs_;
  std::size_t queued_ = 1;
  Place items_, entries_, requests_, ids_, now_, skipped_;
};

// Whether an item exists now that did not when the batch read its items.
Task<Result<bool>> has_appeared(Session& session, const domain::Needs& needs,
                                const domain::Books& books, Deadline deadline);

}  // namespace inventory::store::postgres
