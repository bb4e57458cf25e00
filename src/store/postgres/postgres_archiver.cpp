#include "store/postgres/postgres_archiver.h"

#include <limits>
#include <utility>

#include <fmt/format.h>

#include "store/postgres/binary_array.h"
#include "store/postgres/blocking_loop.h"
#include "store/postgres/connect.h"
#include "store/postgres/schema.h"
#include "store/postgres/session.h"
#include "store/postgres/transaction.h"

namespace inventory::store::postgres {
namespace {

// This program is in no hurry: it waits longer for a row than a batch takes.
constexpr std::chrono::milliseconds kArchiveLockTimeout{2'000};
constexpr std::chrono::milliseconds kArchiveStatementTimeout{60'000};

// Entries are to be found by key. Scanning a large ledger takes hours, and the planner does that if
// it has no statistics of a new one. Text as raw bytes: see postgres_reader.cpp.
constexpr const char* kArchiveSettings =
    "SELECT set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', "
    "false), "
    "set_config('enable_mergejoin', 'off', false), set_config('enable_bitmapscan', 'off', false), "
    "set_config('client_encoding', CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' "
    "ELSE 'UTF8' END, false)";

constexpr Statement kPageEnd{"archive_page_end", R"sql(
SELECT product_id::bigint, identity::text FROM inventory_ledger
WHERE (product_id, identity) > ($1::bigint, $2::text)
ORDER BY product_id, identity OFFSET $3::bigint - 1 LIMIT 1)sql"};

// For each key, the entries removed with it. A cancellation, confirmation or expiry is removed with
// its order, or by itself if its order is missing. A held order without an ending stays, for
// `verify`.
constexpr Statement kFindOld{"archive_find", R"sql(
SELECT key.product_id::bigint, key.identity::text, entry.product_id::text, entry.identity::text,
  entry.outcome::text, entry.quantity::text, entry.delta::text,
  CASE WHEN isfinite(entry.decided_at)
    THEN to_char(entry.decided_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'
    ELSE entry.decided_at::text END,
  entry.quantity_after::text, entry.version::text, entry.reason::text, entry.terms::text,
  entry.message_hash::text
FROM (
  SELECT product_id, identity FROM inventory_ledger AS first
  WHERE (product_id, identity) > ($1::bigint, $2::text) AND
    (product_id, identity) <= ($3::bigint, $4::text) AND
    decided_at < now() - $5::bigint * interval '1 second' AND
    identity NOT IN ('opening', 'balance') AND
    NOT (left(identity, 1) IN ('c', 'f', 'x') AND EXISTS (
      SELECT FROM inventory_ledger AS parent WHERE parent.product_id = first.product_id AND
        parent.identity = substr(first.identity, 2))) AND
    NOT EXISTS (SELECT FROM inventory_hold AS hold
      WHERE hold.product_id = first.product_id AND hold.identity = first.identity) AND
    (outcome <> 'held' OR EXISTS (SELECT FROM inventory_ledger AS ending
      WHERE ending.product_id = first.product_id AND ending.identity IN
        ('c' || first.identity, 'f' || first.identity, 'x' || first.identity) AND
        ending.outcome IN ('cancelled', 'confirmed', 'expired'))) AND
    NOT EXISTS (SELECT FROM inventory_ledger AS young
      WHERE young.product_id = first.product_id AND young.identity IN
        ('c' || first.identity, 'f' || first.identity, 'x' || first.identity) AND
        young.decided_at >= now() - $5::bigint * interval '1 second')
) AS key
CROSS JOIN LATERAL (
  SELECT * FROM inventory_ledger
  WHERE product_id = key.product_id AND identity IN
    (key.identity, 'c' || key.identity, 'f' || key.identity, 'x' || key.identity)) AS entry
ORDER BY key.product_id, key.identity, entry.identity)sql"};

// Services wait while rows are locked: no longer than for a batch of theirs.
constexpr const char* kLimitStatement = "SET LOCAL statement_timeout = '3s'";

// In the order of ids, as services do (batch_reads.cpp).
constexpr Statement kLockArchived{"archive_lock", R"sql(
SELECT FROM inventory WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE)sql"};

// A separate statement after the lock, so that its snapshot sees requests decided meanwhile.
// Returns the number of entries removed, and a product whose balance is not what was written, if
// any.
constexpr Statement kTakeOut{"archive_take_out", R"sql(
WITH old AS (
  SELECT key.product_id, key.identity
  FROM unnest($1::bigint[], $2::text[]) AS key (product_id, identity)
  WHERE NOT EXISTS (SELECT FROM inventory_hold AS hold
      WHERE hold.product_id = key.product_id AND hold.identity = key.identity) AND
    NOT EXISTS (SELECT FROM inventory_ledger AS young
      WHERE young.product_id = key.product_id AND young.identity IN
        (key.identity, 'c' || key.identity, 'f' || key.identity, 'x' || key.identity) AND
        young.decided_at >= now() - $3::bigint * interval '1 second')),
gone AS (
  DELETE FROM inventory_ledger AS entry USING old
  CROSS JOIN LATERAL (VALUES (old.identity), ('c' || old.identity), ('f' || old.identity),
    ('x' || old.identity)) AS part (identity)
  WHERE entry.product_id = old.product_id AND entry.identity = part.identity
  RETURNING entry.product_id, entry.delta, entry.decided_at),
carried AS (
  INSERT INTO inventory_ledger AS balance
    (product_id, identity, outcome, quantity, delta, decided_at)
  SELECT product_id, 'balance', 'brought_forward', sum(delta), sum(delta), max(decided_at)
  FROM gone GROUP BY product_id HAVING sum(delta) <> 0 ORDER BY product_id
  ON CONFLICT (product_id, identity) DO UPDATE SET
    quantity = balance.quantity + excluded.quantity, delta = balance.delta + excluded.delta,
    decided_at = greatest(balance.decided_at, excluded.decided_at)
  RETURNING product_id, delta)
SELECT (SELECT count(*) FROM gone), (
  SELECT min(due.product_id)
  FROM (SELECT product_id, sum(delta) AS delta FROM gone
    GROUP BY product_id HAVING sum(delta) <> 0) AS due
  LEFT JOIN inventory_ledger AS before ON
    before.product_id = due.product_id AND before.identity = 'balance'
  LEFT JOIN carried ON carried.product_id = due.product_id
  WHERE carried.delta IS DISTINCT FROM coalesce(before.delta, 0) + due.delta)::bigint)sql"};

PostgresOptions for_archiving(PostgresOptions options) {
  options.lock_timeout = kArchiveLockTimeout;
  options.statement_timeout = kArchiveStatementTimeout;
  options.call_deadline = 2 * kArchiveStatementTimeout;
  return options;
}

class PostgresArchiver : public Archiver {
 public:
  explicit PostgresArchiver(PostgresOptions options)
      : options_(for_archiving(std::move(options))), info_(options_) {}

  Result<void> begin(std::chrono::seconds age) override {
    age_ = age.count();
    return loop_.run(connect_and_check());
  }

  Result<OldEntries> find(const LedgerPlace& after, std::size_t count) override {
    return loop_.run(find_old(after, static_cast<std::int64_t>(count)));
  }

  Result<std::size_t> take_out(std::span<const LedgerPlace> keys) override {
    return loop_.run(take_out_old(keys));
  }

 private:
  Task<Result<void>> connect_and_check() {
    session_.reset();
    auto connected = co_await connect(loop_.executor(), info_,
                                      std::chrono::steady_clock::now() + options_.connect_timeout);
    if (!connected) co_return std::unexpected(std::move(connected.error()));
    session_ = std::make_unique<Session>(loop_.executor(), std::move(*connected));
    if (auto ready = co_await check_ready(*session_, options_.owner, deadline()); !ready)
      co_return ready;
    session_->command(kArchiveSettings);
    const auto set = co_await session_->synchronize("beginning to archive", deadline());
    if (!set) co_return std::unexpected(set.error());
    co_return Result<void>();
  }

  Task<Result<OldEntries>> find_old(LedgerPlace after, std::int64_t count) {
    session_->execute(kPageEnd,
                      {binary_bigint(after.product), after.identity, binary_bigint(count)});
    const auto end = co_await session_->synchronize(kFinding, deadline());
    if (!end) co_return std::unexpected(end.error());
    OldEntries old;
    const PGresult* last = end->at(0).get();
    if (PQntuples(last) > 0) {
      old.next = {read_bigint(last, 0, 0).value_or(0), read_text(last, 0, 1).value_or("")};
    }
    // After every identity: all begin with a printable ASCII character.
    const auto until =
        old.next.value_or(LedgerPlace{std::numeric_limits<std::int64_t>::max(), "\x7F"});
    session_->execute(kFindOld,
                      {binary_bigint(after.product), after.identity, binary_bigint(until.product),
                       until.identity, binary_bigint(age_)});
    const auto found = co_await session_->synchronize(kFinding, deadline());
    if (!found) co_return std::unexpected(found.error());
    read_old(found->at(0).get(), old);
    co_return old;
  }

  static void read_old(const PGresult* rows, OldEntries& old) {
    constexpr int kKeyColumns = 2;
    for (int row = 0; row < PQntuples(rows); ++row) {
      LedgerPlace key{read_bigint(rows, row, 0).value_or(0), read_text(rows, row, 1).value_or("")};
      if (old.keys.empty() || old.keys.back() != key) old.keys.push_back(std::move(key));
      LedgerRow& entry = old.rows.emplace_back();
      for (std::size_t column = 0; column < entry.size(); ++column) {
        entry[column] = read_text(rows, row, kKeyColumns + static_cast<int>(column));
      }
    }
  }

  Task<Result<std::size_t>> take_out_old(std::span<const LedgerPlace> keys) {
    BinaryArray products(BinaryArray::Element::bigint, keys.size());
    BinaryArray identities(BinaryArray::Element::text, keys.size());
    for (const LedgerPlace& key : keys) {
      products.add(key.product);
      identities.add(std::string_view(key.identity));
    }
    session_->execute(kBegin, {});
    session_->command(kLimitStatement);
    session_->execute(kLockArchived, {products.bytes()});
    session_->execute(kTakeOut, {products.bytes(), identities.bytes(), binary_bigint(age_)});
    const auto taken = co_await session_->synchronize(kTakingOut, deadline());
    if (!taken) co_return co_await roll_back(taken.error());
    if (const auto wrong = read_bigint(taken->back().get(), 0, 1)) {
      co_return co_await roll_back(not_carried(*wrong));
    }
    session_->commit();
    const auto committed = co_await session_->synchronize(kTakingOut, deadline());
    if (!committed) co_return co_await roll_back(committed.error());
    co_return static_cast<std::size_t>(read_bigint(taken->back().get(), 0, 0).value_or(0));
  }

  // The transaction is still open, unless the connection is lost.
  Task<Result<std::size_t>> roll_back(Error error) {
    if (!session_->lost() && !session_->idle()) {
      session_->command("ROLLBACK");
      const auto rolled_back = co_await session_->synchronize("rolling back", deadline());
      if (!rolled_back) co_return std::unexpected(rolled_back.error());
    }
    co_return std::unexpected(std::move(error));
  }

  Error not_carried(domain::ProductId product) const {
    return {
        Fault::failing,
        fmt::format("PostgreSQL {}: table inventory_ledger, product {}: the balance is not what "
                    "was written; does a trigger change it?",
                    session_->where(), product)};
  }

  Deadline deadline() const { return std::chrono::steady_clock::now() + options_.call_deadline; }

  static constexpr const char* kFinding = "looking for old entries";
  static constexpr const char* kTakingOut = "taking entries out of the ledger";

  BlockingLoop loop_;
  PostgresOptions options_;
  ConnectionInfo info_;
  std::int64_t age_ = 0;  // seconds
  std::unique_ptr<Session> session_;
};

}  // namespace

std::unique_ptr<Archiver> make_postgres_archiver(PostgresOptions options) {
  return std::make_unique<PostgresArchiver>(std::move(options));
}

}  // namespace inventory::store::postgres
