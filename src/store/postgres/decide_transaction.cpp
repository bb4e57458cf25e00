#include "store/postgres/decide_transaction.h"

#include <algorithm>
#include <utility>

#include "store/postgres/batch_reads.h"
#include "store/postgres/batch_writes.h"
#include "store/postgres/transaction.h"

namespace inventory::store::postgres {
Task<Result<std::vector<domain::Decision>>> decide(Session& session,
                                                   std::span<const domain::Command> commands,
                                                   Locks locks, Deadline deadline) {
  const domain::Needs needs = domain::needs_of(commands);
  session.execute(kBegin, {});
  const BatchReads reads(session, needs, locks);
  const auto read = co_await session.synchronize("locking items for a batch", deadline);
  if (!read) {
    co_return std::unexpected(read.error());
  }
  domain::Books books(needs);
  if (auto filled = reads.fill(books, *read); !filled) {
    co_return std::unexpected(std::move(filled.error()));
  }
  auto decisions = domain::decide_all(commands, books);
  if (books.is_torn()) {
    const auto appeared = co_await has_appeared(session, needs, books, deadline);
    if (!appeared) co_return std::unexpected(appeared.error());
    if (*appeared) {
      co_return std::unexpected(
          Error{Fault::retryable, "deciding a batch: an item was added between its statements"});
    }
  }
  queue_writes(session, books.take_changes());
  const auto written = co_await session.synchronize("committing a batch", deadline);
  if (!written) {
    // Not ids that nobody has been given.
    Error error = written.error();
    std::erase_if(error.products, [&](domain::ProductId product) {
      return !std::ranges::binary_search(needs.products, product);
    });
    co_return std::unexpected(std::move(error));
  }
  co_return decisions;
}

}  // namespace inventory::store::postgres
