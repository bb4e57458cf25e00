#include "store/postgres/batch_transaction.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "store/postgres/batch_reads.h"
#include "store/postgres/batch_writes.h"
#include "store/postgres/transaction.h"
#include "store/trial.h"

namespace inventory::store::postgres {
namespace {

constexpr auto* kTryingAnother = "trying whether another product can be sold";

Task<Result<std::vector<domain::Decision>>> execute(Session& session,
                                                    std::span<const domain::Command> commands,
                                                    Locks locks,
                                                    std::vector<domain::StockNews>* news,
                                                    domain::Partition partition, Ending ending,
                                                    Deadline deadline) {
  const domain::Needs needs = domain::needs_of(commands);
  session.execute(kBegin, {});
  const BatchReads reads(session, needs, locks, partition);
  const auto read = co_await session.synchronize("locking items for a batch", deadline);
  if (!read) {
    co_return std::unexpected(read.error());
  }
  domain::Books books(needs);
  if (auto filled = reads.fill(books, *read); !filled) {
    co_return std::unexpected(std::move(filled.error()));
  }
  auto decisions = domain::decide_all(commands, books, news);
  if (books.is_torn()) {
    const auto appeared = co_await has_appeared(session, needs, books, deadline);
    if (!appeared) co_return std::unexpected(appeared.error());
    if (*appeared) {
      co_return std::unexpected(
          Error{Fault::retryable, "deciding a batch: an item was added between its statements"});
    }
  }
  queue_writes(session, books.take_changes(), ending);
  const auto written = co_await session.synchronize("committing a batch", deadline);
  if (!written) {
    // Do not name new ids: nobody has been told of them.
    Error error = written.error();
    std::erase_if(error.products, [&](domain::ProductId product) {
      return !std::ranges::binary_search(needs.products, product);
    });
    co_return std::unexpected(std::move(error));
  }
  co_return decisions;
}

// Reads a few and draws one at random: the next call is likely to draw another.
Task<Result<domain::Command>> draw_trial(Session& session,
                                         std::span<const domain::ProductId> products,
                                         Deadline deadline) {
  const auto drawn = co_await session.script(
      kTryingAnother,
      fmt::format("WITH others AS (SELECT * FROM inventory WHERE id <> ALL ('{{{}}}'::bigint[])), "
                  "few (id, is_in_stock) AS ("
                  "(SELECT id, true FROM others WHERE quantity > 0 LIMIT 100) UNION ALL "
                  "(SELECT id, false FROM others WHERE quantity = 0 LIMIT 1)) "
                  "SELECT id, is_in_stock FROM few ORDER BY is_in_stock DESC, random() LIMIT 1",
                  fmt::join(products, ",")),
      deadline);
  if (!drawn) co_return std::unexpected(drawn.error());
  const PGresult* row = drawn->back().get();
  if (PQntuples(row) == 0) {
    co_return std::unexpected(Error{Fault::refused, "there is no other product"});
  }
  co_return trial_of(std::stoll(PQgetvalue(row, 0, 0)),
                     std::string_view(PQgetvalue(row, 0, 1)) == "t");
}

}  // namespace

Task<Result<std::vector<domain::Decision>>> execute(
    Session& session, std::span<const domain::Command> commands, Locks locks,
    std::vector<domain::StockNews>* news, domain::Partition partition, Deadline deadline) {
  co_return co_await execute(session, commands, locks, news, partition, Ending::commit, deadline);
}

Task<Result<void>> try_another(Session& session, std::span<const domain::ProductId> products,
                               Deadline deadline) {
  const auto trial = co_await draw_trial(session, products, deadline);
  if (!trial) co_return std::unexpected(trial.error());
  const auto decided = co_await execute(session, std::span(&*trial, 1), Locks::wait, nullptr, {},
                                        Ending::roll_back, deadline);
  co_return decided ? check_trial(decided->front()) : std::unexpected(decided.error());
}

}  // namespace inventory::store::postgres
