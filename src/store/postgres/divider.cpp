#include "store/postgres/divider.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "store/postgres/adoption.h"
#include "store/postgres/blocking_loop.h"
#include "store/postgres/connect.h"
#include "store/postgres/schema.h"
#include "store/postgres/session.h"
#include "store/postgres/transaction.h"

namespace inventory::store::postgres {
namespace {

// Whole tables are read and copied, however long it takes.
constexpr std::string_view kCopyWholeTables =
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; "
    "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on";

// In the order in which programs lock them. The sequence and the indexes keep their names.
constexpr const char* kRename = R"sql(
LOCK TABLE inventory_item_request, inventory, inventory_ledger, inventory_hold
  IN ACCESS EXCLUSIVE MODE;
ALTER TABLE inventory RENAME TO inventory_undivided;
ALTER TABLE inventory_ledger RENAME TO inventory_ledger_undivided;
ALTER TABLE inventory_item_request RENAME TO inventory_item_request_undivided;
ALTER TABLE inventory_hold RENAME TO inventory_hold_undivided
)sql";

// In the same order. {0}: the partition's schema.
constexpr std::string_view kLockPartition = R"sql(
LOCK TABLE {0}.inventory_item_request, {0}.inventory, {0}.inventory_ledger, {0}.inventory_hold
  IN ACCESS EXCLUSIVE MODE
)sql";

// Those of its tables that are there: making them may have been cut off. {}: the schema.
constexpr std::string_view kTablesThere = R"sql(
SELECT name FROM unnest('{{inventory,inventory_ledger,inventory_item_request,inventory_hold}}'::text[])
  AS tables (name) WHERE to_regclass('{}.' || name) IS NOT NULL
)sql";

// {0}: the partition's schema, {1}: its number, {2}: the count. The same arithmetic as
// domain::partition_of(), for any id. An adopted table may lack times.
constexpr std::string_view kAllowMissingTimes = R"sql(
DO $$ BEGIN
  IF EXISTS (SELECT FROM inventory_undivided WHERE created_at IS NULL
             AND (id % {2} + {2}) % {2} = {1}) THEN
    ALTER TABLE {0}.inventory ALTER COLUMN created_at DROP NOT NULL;
  END IF;
END $$
)sql";
constexpr std::string_view kCopyItems = R"sql(
INSERT INTO {0}.inventory (id, quantity, description, created_at, version, low_stock)
SELECT id, quantity, description, created_at::timestamp, version, low_stock
FROM inventory_undivided WHERE (id % {2} + {2}) % {2} = {1} ORDER BY id
)sql";
constexpr std::string_view kCopyEntries = R"sql(
INSERT INTO {0}.inventory_ledger (product_id, identity, outcome, quantity, delta, decided_at,
  quantity_after, version, reason, terms, message_hash)
SELECT product_id, identity, outcome, quantity, delta, decided_at, quantity_after, version, reason,
  terms, message_hash
FROM inventory_ledger_undivided WHERE (product_id % {2} + {2}) % {2} = {1}
ORDER BY product_id, identity
)sql";
// Where a repeated request comes to: contract::item_partition(), of the property that the identity
// was made of (contract::item_identity()). So a partition may know items that another one has.
constexpr std::string_view kCopyRequests = R"sql(
INSERT INTO {0}.inventory_item_request (identity, product_id, quantity, description, created_at,
  chosen_id, low_stock)
SELECT identity, product_id, quantity, description, created_at, chosen_id, low_stock
FROM inventory_item_request_undivided
WHERE CASE
    WHEN chosen_id IS NOT NULL THEN (chosen_id % {2} + {2}) % {2}
    ELSE ('x' || left(encode(sha256(
        CASE WHEN left(identity, 1) IN ('M', 'C') THEN decode(substr(identity, 2), 'hex')
             ELSE convert_to(substr(identity, 2), 'UTF8') END), 'hex'), 8))::bit(32)::bigint % {2}
  END = {1}
ORDER BY identity
)sql";
constexpr std::string_view kCopyHolds = R"sql(
INSERT INTO {0}.inventory_hold (product_id, identity, quantity, expires_at)
SELECT product_id, identity, quantity, expires_at
FROM inventory_hold_undivided WHERE (product_id % {2} + {2}) % {2} = {1}
ORDER BY product_id, identity
)sql";

// Beyond every id ever used, including those of deleted items.
constexpr std::string_view kMoveIds = R"sql(
SELECT setval(pg_get_serial_sequence('{0}.inventory', 'id'), last)
FROM (SELECT greatest(
  (SELECT max(id) FROM inventory_undivided),
  pg_sequence_last_value(pg_get_serial_sequence('inventory_undivided', 'id')::regclass)) AS last)
  AS given WHERE last >= 1
)sql";

std::size_t rows_of(const ResultHandle& result) {
  const std::string_view text = PQcmdTuples(result.get());
  std::size_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

class PostgresDivider : public Divider {
 public:
  PostgresDivider(PostgresOptions options, std::uint32_t count)
      : options_(std::move(options)), info_(options_), count_(count) {}

  Result<void> connect() override { return loop_.run(open()); }
  Result<PartitionState> look(const std::string& schema,
                              const domain::Partition& partition) override {
    return loop_.run(state_of(schema, partition));
  }
  Result<void> take(const std::string& schema, const domain::Partition& partition) override {
    return loop_.run(in_transaction<void>(mark(schema, partition)));
  }
  Result<void> retire() override { return loop_.run(in_transaction<void>(rename())); }
  Result<Filled> fill(const std::string& schema, const domain::Partition& partition) override {
    return loop_.run(in_transaction<Filled>(copy(schema, partition)));
  }

 private:
  Task<Result<void>> open() {
    auto connected = co_await postgres::connect(
        loop_.executor(), info_, std::chrono::steady_clock::now() + options_.connect_timeout);
    if (!connected) co_return std::unexpected(std::move(connected.error()));
    session_ = std::make_unique<Session>(loop_.executor(), std::move(*connected));
    const auto set = co_await script("setting up the session", kNoTransactionTimeout.sql);
    if (!set) co_return std::unexpected(set.error());
    co_return co_await check_undivided();
  }

  // Checks, before anything is created, that there is or was an undivided stock.
  Task<Result<void>> check_undivided() {
    const auto there = co_await script(kLooking, fmt::format("SELECT {}", kHasVersions));
    if (!there) co_return std::unexpected(there.error());
    if (std::string_view(PQgetvalue(there->back().get(), 0, 0)) != "t") {
      co_return std::unexpected(Error{
          Fault::unavailable, fmt::format("PostgreSQL {}: there is no undivided stock of this "
                                          "service where search_path leads",
                                          session_->where())});
    }
    const auto moved = co_await was_moved();
    if (!moved) co_return std::unexpected(moved.error());
    co_return Result<void>();
  }

  // Whether the undivided stock was moved; it is one of this program's version otherwise.
  Task<Result<bool>> was_moved() {
    const auto read = co_await script(kLooking, kReadOwner);
    if (!read) co_return std::unexpected(read.error());
    const PGresult* rows = read->back().get();
    const std::string_view name = PQntuples(rows) > 0 ? PQgetvalue(rows, 0, 0) : "";
    if (name == moved_name(count_)) co_return true;
    if (name.starts_with(kMovedInto)) {
      co_return std::unexpected(
          Error{Fault::unavailable, fmt::format("PostgreSQL {}: the stock was {}, not into {}",
                                                session_->where(), name, count_)});
    }
    const auto ready = co_await check_to_be_moved(rows);
    if (!ready) co_return std::unexpected(ready.error());
    co_return false;
  }

  // Reads whether the stock was moved after the partition's row: a partition that another process
  // has just filled was filled from a stock that was moved.
  Task<Result<PartitionState>> state_of(std::string schema, domain::Partition partition) {
    const auto there = co_await script(
        kLooking, fmt::format("SELECT to_regclass('{}.inventory_migration') IS NOT NULL", schema));
    if (!there) co_return std::unexpected(there.error());
    if (std::string_view(PQgetvalue(there->back().get(), 0, 0)) != "t") {
      co_return PartitionState::missing;
    }
    const auto read = co_await script(
        kLooking, fmt::format("SELECT name FROM {}.inventory_migration WHERE version = 0", schema));
    if (!read) co_return std::unexpected(read.error());
    const PGresult* rows = read->back().get();
    const auto name =
        PQntuples(rows) == 0 ? std::nullopt : std::optional<std::string>(PQgetvalue(rows, 0, 0));
    if (name == owner_name({.partition = partition, .is_being_filled = true})) {
      co_return PartitionState::being_filled;
    }
    if (const auto why = why_not_of({.partition = partition}, name); !why.empty()) {
      co_return std::unexpected(unusable(schema, why));
    }
    const auto moved = co_await was_moved();
    if (!moved) co_return std::unexpected(moved.error());
    if (*moved) co_return PartitionState::filled;
    const auto empty = co_await check_empty(schema, partition);
    if (!empty) co_return std::unexpected(empty.error());
    co_return PartitionState::empty;
  }

  Task<Result<void>> check_empty(std::string schema, domain::Partition partition) {
    const auto there = co_await script(kLooking, fmt::format(kTablesThere, schema));
    if (!there) co_return std::unexpected(there.error());
    std::string sql = "SELECT false";
    for (int row = 0; row < PQntuples(there->back().get()); ++row) {
      sql += fmt::format(" OR EXISTS (SELECT FROM {}.{})", schema,
                         PQgetvalue(there->back().get(), row, 0));
    }
    const auto read = co_await script(kLooking, std::move(sql));
    if (!read) co_return std::unexpected(read.error());
    if (std::string_view(PQgetvalue(read->back().get(), 0, 0)) == "f") co_return Result<void>();
    co_return std::unexpected(unusable(
        schema, fmt::format("{} was used already: its rows and the undivided ones cannot be "
                            "merged; if its rows are not needed, DROP SCHEMA {} CASCADE, and start "
                            "migrate --from-undivided again",
                            display(partition), schema)));
  }

  Task<Result<void>> mark(std::string schema, domain::Partition partition) {
    const auto locked = co_await script(kMoving, fmt::format(kLockPartition, schema));
    if (!locked) co_return std::unexpected(locked.error());
    const auto empty = co_await check_empty(schema, partition);
    if (!empty) co_return std::unexpected(empty.error());
    co_return co_await note(schema, {.partition = partition},
                            {.partition = partition, .is_being_filled = true});
  }

  // Changes the owner of a partition's tables.
  Task<Result<void>> note(std::string schema, TablesOwner before, TablesOwner after) {
    const auto noted = co_await script(
        kMoving,
        fmt::format("UPDATE {}.inventory_migration SET name = '{}' WHERE version = 0 AND "
                    "name = '{}'",
                    schema, owner_name(after).value_or(""), owner_name(before).value_or("")));
    if (!noted) co_return std::unexpected(noted.error());
    if (rows_of(noted->back()) > 0) co_return Result<void>();
    co_return std::unexpected(unusable(schema, "somebody else has changed whose the tables are"));
  }

  Error unusable(std::string_view schema, std::string_view why) const {
    return {Fault::unavailable,
            fmt::format("PostgreSQL {}, schema {}: {}", session_->where(), schema, why)};
  }

  // Runs `work` in a transaction: commits if it succeeds, else rolls back.
  template <class T>
  Task<Result<T>> in_transaction(Task<Result<T>> work) {
    const auto begun = co_await script(
        kMoving, fmt::format("{}; {}; SET LOCAL lock_timeout = {}", kBegin.sql, kCopyWholeTables,
                             options_.migrate_lock_timeout.count()));
    if (!begun) co_return std::unexpected(begun.error());
    auto result = co_await std::move(work);
    if (!result) {
      if (!session_->lost()) co_await script("rolling back", "ROLLBACK");
      co_return result;
    }
    session_->commit();
    const auto committed = co_await session_->synchronize(kMoving, deadline());
    if (!committed) co_return std::unexpected(committed.error());
    co_return result;
  }

  Task<Result<void>> rename() {
    const auto moved = co_await was_moved();
    if (!moved) co_return std::unexpected(moved.error());
    if (*moved) co_return Result<void>();
    const auto renamed = co_await script(
        kMoving, fmt::format("{}; INSERT INTO inventory_migration (version, name) VALUES (0, '{}')",
                             kRename, moved_name(count_)));
    if (!renamed) co_return std::unexpected(renamed.error());
    co_return Result<void>();
  }

  Task<Result<void>> check_to_be_moved(const PGresult* owner) {
    if (auto wrong = check_owner(*session_, {}, owner)) co_return std::unexpected(*wrong);
    const auto version = co_await script(
        kMoving,
        fmt::format("SELECT max(abs(version)) = {} FROM inventory_migration", migrations().size()));
    if (!version) co_return std::unexpected(version.error());
    if (std::string_view(PQgetvalue(version->back().get(), 0, 0)) != "t") {
      co_return std::unexpected(
          Error{Fault::unavailable,
                fmt::format("PostgreSQL {}: the undivided tables are of another version than this "
                            "program's: migrate them without --partition first",
                            session_->where())});
    }
    co_return Result<void>();
  }

  Task<Result<Filled>> copy(std::string schema, domain::Partition partition) {
    auto state = co_await state_of(schema, partition);
    if (state == PartitionState::being_filled) {
      const auto locked = co_await script(kMoving, fmt::format(kLockPartition, schema));
      if (!locked) co_return std::unexpected(locked.error());
      state = co_await state_of(schema, partition);  // somebody else may have filled it meanwhile
    }
    if (!state) co_return std::unexpected(state.error());
    if (*state == PartitionState::filled) co_return Filled{.is_new = false};
    if (*state != PartitionState::being_filled) {
      co_return std::unexpected(unusable(
          schema, fmt::format("its tables are not those of {}, to be filled", display(partition))));
    }
    if (auto empty = co_await check_empty(schema, partition); !empty) {
      co_return std::unexpected(std::move(empty.error()));
    }
    const auto noted = co_await note(schema, {.partition = partition, .is_being_filled = true},
                                     {.partition = partition});
    if (!noted) co_return std::unexpected(noted.error());
    const auto with_names = [&](std::string_view sql) {
      return fmt::format(fmt::runtime(sql), schema, partition.number, partition.count);
    };
    std::string sql = with_names(kAllowMissingTimes);
    for (const std::string_view statement :
         {kCopyItems, kCopyEntries, kCopyRequests, kCopyHolds, kMoveIds}) {
      sql += "; " + with_names(statement);
    }
    const auto copied = co_await script(kMoving, std::move(sql));
    if (!copied) co_return std::unexpected(copied.error());
    co_return Filled{.items = rows_of(copied->at(1)),
                     .entries = rows_of(copied->at(2)),
                     .requests = rows_of(copied->at(3)),
                     .holds = rows_of(copied->at(4))};
  }

  Task<Result<Results>> script(const char* doing, std::string sql) {
    return session_->script(doing, std::move(sql), deadline());
  }

  // Copying a large ledger takes a while.
  static Deadline deadline() { return std::chrono::steady_clock::now() + kDeadline; }

  static constexpr std::chrono::hours kDeadline{24};
  static constexpr const char* kMoving = "moving the stock into partitions";
  static constexpr const char* kLooking = "looking at the tables";

  BlockingLoop loop_;
  PostgresOptions options_;
  ConnectionInfo info_;
  std::uint32_t count_;
  std::unique_ptr<Session> session_;
};

}  // namespace

std::unique_ptr<Divider> make_divider(PostgresOptions options, std::uint32_t count) {
  return std::make_unique<PostgresDivider>(std::move(options), count);
}

}  // namespace inventory::store::postgres
