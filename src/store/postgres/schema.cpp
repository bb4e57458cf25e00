#include "store/postgres/schema.h"

#include <charconv>
#include <string_view>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "store/postgres/adoption.h"
#include "store/postgres/neighbours.h"
#include "store/postgres/rehearsal.h"
#include "store/postgres/transaction.h"

namespace inventory::store::postgres {
namespace {

// Ends the names of migrations that older programs can live with: see read_version_sql().
constexpr std::string_view kBesideOlder = "_beside_older";

// For a migration of tables in use: waiting for the lock blocks everyone who comes later. So each
// try waits only a moment, and the next follows after a pause.
constexpr std::chrono::milliseconds kMoment{100};
constexpr std::chrono::milliseconds kPause{200};
constexpr int kTriesMax = 100;

// 0x696e76 is "inv". The second key lets schemas of one database migrate independently. The session
// may wait while another instance migrates, until the call's own deadline.
constexpr std::string_view kLockForMigration = R"sql(
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL lock_timeout = 0;
SELECT pg_advisory_xact_lock(6909558, hashtext(current_schema()));
SET LOCAL lock_timeout = {};
)sql";

// The same lock, without waiting.
constexpr const char* kTryLockForMigration =
    "SELECT FROM (SELECT pg_try_advisory_xact_lock(6909558, hashtext(current_schema())) AS got) AS "
    "lock WHERE got";

// Reads whole tables, which the session's own settings would do through an index.
constexpr std::string_view kReadWholeTables = R"sql(
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL enable_seqscan = on;
SET LOCAL enable_hashjoin = on;
)sql";

int known_version() { return static_cast<int>(migrations().size()); }

int read_int(const PGresult* result) {
  const std::string_view text = PQgetvalue(result, 0, 0);
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Error newer(const Session& session, int version) {
  return {
      Fault::unavailable,
      fmt::format("the schema at PostgreSQL {} is newer than this program: it has version {}, the "
                  "program knows versions up to {}",
                  session.where(), version, known_version())};
}

Error older(const Session& session, int version) {
  return {Fault::unavailable,
          fmt::format("the schema at PostgreSQL {} has version {}, this program needs {}: run "
                      "inventory-service migrate",
                      session.where(), version, known_version())};
}

constexpr auto* kReadingVersion = "reading the schema's version";

Task<Result<bool>> has_versions(Session& session, Deadline deadline) {
  const auto table = co_await session.script(kReadingVersion,
                                             fmt::format("SELECT {}::int", kHasVersions), deadline);
  if (!table) {
    co_return std::unexpected(table.error());
  }
  co_return read_int(table->back().get()) != 0;
}

// 0 if nothing was ever migrated.
Task<Result<int>> applied_version(Session& session, const TablesOwner& owner, Deadline deadline) {
  const auto recorded = co_await has_versions(session, deadline);
  if (!recorded) {
    co_return std::unexpected(recorded.error());
  }
  if (!*recorded) {
    co_return 0;
  }
  const auto version = co_await session.script(
      kReadingVersion, fmt::format("{}; {}", kReadOwner, read_version_sql()), deadline);
  if (!version) {
    co_return std::unexpected(version.error());
  }
  if (const auto wrong = check_owner(session, owner, version->front().get())) {
    co_return std::unexpected(*wrong);
  }
  co_return read_int(version->back().get());
}

Error not_adoptable(const Session& session, const Surroundings& found) {
  return {
      Fault::refused,
      fmt::format("table inventory in schema {} at PostgreSQL {} cannot be adopted: {}; nothing "
                  "was changed",
                  found.schema, session.where(), fmt::join(found.obstacles, "; "))};
}

constexpr std::string_view kPartitionsAdoptNone =
    "a partition takes no table over: adopt it undivided, then migrate --from-undivided";

// For a partition: records the owner, and sets the sequence to steps of `count`, so that each value
// is in another block of `count` ids, one of which is this partition's (batch_reads.cpp).
std::string make_owned(const TablesOwner& owner) {
  if (!owner.partition) return "";
  const auto& [number, count] = *owner.partition;
  return fmt::format(
      "; INSERT INTO inventory_migration (version, name) VALUES (0, '{0}'); "
      "DO $$ BEGIN EXECUTE format('ALTER SEQUENCE %s INCREMENT BY {1} START WITH {2} RESTART WITH "
      "{2}', pg_get_serial_sequence('inventory', 'id')); END $$",
      owner_name(owner).value_or(""), count, number == 0 ? count : number);
}

Error conflicting(const Session& session, const WantedTables& wanted, std::string_view conflict) {
  return {Fault::unavailable,
          fmt::format("PostgreSQL {}{}{}: {}", session.where(),
                      wanted.schema.empty() ? "" : ", schema ", wanted.schema, conflict)};
}

// Before tables are made: whether they may be, beside what the database has.
Task<Result<void>> check_neighbours(Session& session, const WantedTables& wanted,
                                    Deadline deadline) {
  const auto conflict = co_await find_conflict(session, wanted.schema, wanted.owner, deadline);
  if (!conflict) co_return std::unexpected(conflict.error());
  if (const auto& why = *conflict; why) {
    co_return std::unexpected(conflicting(session, wanted, *why));
  }
  co_return Result<void>();
}

// Locks an existing table against changes, and checks whether it can be adopted; without one,
// whether tables may be made.
Task<Result<void>> check_adoption(Session& session, const WantedTables& wanted,
                                  std::chrono::milliseconds lock_timeout, Deadline deadline) {
  const auto locked = co_await session.script(
      "locking the table inventory",
      fmt::format("{} DO $$ BEGIN IF EXISTS (SELECT FROM pg_class WHERE oid = "
                  "to_regclass('inventory') AND relkind = 'r') THEN LOCK TABLE inventory IN ACCESS "
                  "EXCLUSIVE MODE; END IF; END $$",
                  kReadWholeTables),
      deadline);
  if (!locked) {
    co_return std::unexpected(locked.error());
  }
  const auto found = co_await examine(session, deadline);
  if (!found) {
    co_return std::unexpected(found.error());
  }
  Surroundings known = *found;
  if (!known.has_table) {
    const auto alone =
        co_await lock_out_neighbours(session, wanted.schema, wanted.owner, lock_timeout, deadline);
    if (!alone) co_return std::unexpected(alone.error());
    const auto allowed = co_await check_neighbours(session, wanted, deadline);
    if (!allowed) co_return std::unexpected(allowed.error());
  }
  if (wanted.owner.partition && known.has_table) known.obstacles.emplace_back(kPartitionsAdoptNone);
  if (known.obstacles.empty()) {
    auto tried = co_await rehearse(session, migrations(), deadline);
    if (!tried) {
      co_return std::unexpected(tried.error());
    }
    known.obstacles = *std::move(tried);
  }
  if (!known.obstacles.empty()) {
    co_return std::unexpected(not_adoptable(session, known));
  }
  co_return Result<void>();
}

// Applies the next migration, if one is still missing once the lock is held. Returns the version
// that the schema had.
Task<Result<int>> apply_next(Session& session, const WantedTables& wanted,
                             std::chrono::milliseconds lock_timeout, Deadline deadline) {
  const auto locked = co_await session.script(
      "locking the schema to migrate it",
      fmt::format("{}; {}", kBegin.sql, fmt::format(kLockForMigration, lock_timeout.count())),
      deadline);
  if (!locked) {
    co_return std::unexpected(locked.error());
  }
  const auto version = co_await applied_version(session, wanted.owner, deadline);
  if (!version) {
    co_return std::unexpected(version.error());
  }
  if (*version == 0) {
    const auto adoptable = co_await check_adoption(session, wanted, lock_timeout, deadline);
    if (!adoptable) {
      co_return std::unexpected(adoptable.error());
    }
  }
  if (*version < known_version()) {
    const Migration& next = migrations()[static_cast<std::size_t>(*version)];
    const bool is_beside_older = next.name.ends_with(kBesideOlder);
    const auto applied = co_await session.script(
        "migrating the schema",
        fmt::format("SET LOCAL lock_timeout = {}; {}; {}; INSERT INTO inventory_migration "
                    "(version, name) VALUES ({}, '{}'){}",
                    *version == 0 ? lock_timeout.count() : kMoment.count(), kMakeVersions, next.sql,
                    is_beside_older ? -next.version : next.version, next.name,
                    *version == 0 ? make_owned(wanted.owner) : ""),
        deadline);
    if (!applied) {
      co_return std::unexpected(applied.error());
    }
  }
  session.commit();
  const auto committed = co_await session.synchronize("committing a migration", deadline);
  if (!committed) {
    co_return std::unexpected(committed.error());
  }
  co_return version;
}

// The same, repeatedly while somebody holds a lock for longer than a moment.
Task<Result<int>> apply_next_patiently(Session& session, const WantedTables& wanted,
                                       std::chrono::milliseconds lock_timeout, Deadline deadline) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  for (int tries = 1;; ++tries) {
    auto version = co_await apply_next(session, wanted, lock_timeout, deadline);
    if (version || version.error().fault != Fault::locked || tries == kTriesMax ||
        std::chrono::steady_clock::now() + kPause >= deadline) {
      co_return version;
    }
    session.command("ROLLBACK");
    if (const auto rolled_back = co_await session.synchronize("rolling back", deadline);
        !rolled_back) {
      co_return std::unexpected(rolled_back.error());
    }
    timer.expires_after(kPause);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
}

// Examines a schema without any applied migration, for the plan.
Task<Result<void>> look(Session& session, const WantedTables& wanted, MigrationPlan& plan,
                        Deadline deadline) {
  const auto begun = co_await session.script(
      "beginning to look", fmt::format("BEGIN READ ONLY; {}", kReadWholeTables), deadline);
  if (!begun) {
    co_return std::unexpected(begun.error());
  }
  auto found = co_await examine(session, deadline);
  if (!found) {
    co_return std::unexpected(found.error());
  }
  std::optional<std::string> conflict;
  if (!found->has_table) {
    auto checked = co_await find_conflict(session, wanted.schema, wanted.owner, deadline);
    if (!checked) co_return std::unexpected(checked.error());
    conflict = *std::move(checked);
  }
  const auto ended = co_await session.script("ending to look", "ROLLBACK", deadline);
  if (!ended) {
    co_return std::unexpected(ended.error());
  }
  plan.tables = found->has_table ? MigrationPlan::Origin::adopted : MigrationPlan::Origin::made;
  plan.where += found->schema.empty() ? ", no schema" : fmt::format(", schema {}", found->schema);
  plan.obstacles = std::move(found->obstacles);
  plan.look_alikes = std::move(found->look_alikes);
  if (wanted.owner.partition && found->has_table) {
    plan.obstacles.emplace_back(kPartitionsAdoptNone);
  }
  if (conflict) plan.obstacles.push_back(*std::move(conflict));
  co_return Result<void>();
}

// Tries the missing migrations in a transaction of its own, unless another instance is migrating or
// has done so.
Task<Result<std::vector<std::string>>> rehearse_alone(Session& session, const TablesOwner& owner,
                                                      int version, Deadline deadline) {
  std::vector<std::string> obstacles;
  const auto begun = co_await session.script(
      "trying the migration", fmt::format("{}; {}", kBegin.sql, kTryLockForMigration), deadline);
  if (!begun) {
    co_return std::unexpected(begun.error());
  }
  const auto now = co_await applied_version(session, owner, deadline);
  if (!now) {
    co_return std::unexpected(now.error());
  }
  if (PQntuples(begun->back().get()) > 0 && *now == version) {
    auto tried = co_await rehearse(session, migrations().subspan(static_cast<std::size_t>(version)),
                                   deadline);
    if (!tried) {
      co_return std::unexpected(tried.error());
    }
    obstacles = *std::move(tried);
  }
  const auto ended = co_await session.script("ending the trial", "ROLLBACK", deadline);
  if (!ended) {
    co_return std::unexpected(ended.error());
  }
  co_return obstacles;
}

// Whether the schema exists, and whether it could be created.
constexpr std::string_view kLookForSchema =
    "SELECT to_regnamespace('{}') IS NOT NULL, has_database_privilege(current_database(), "
    "'CREATE'), current_user, current_database()";

// The plan if a partition's schema is missing; empty if it exists.
Task<Result<std::optional<MigrationPlan>>> plan_schema(Session& session, const WantedTables& wanted,
                                                       Deadline deadline) {
  const std::string& schema = wanted.schema;
  const auto found = co_await session.script("looking for the schema",
                                             fmt::format(kLookForSchema, schema), deadline);
  if (!found) co_return std::unexpected(found.error());
  const PGresult* row = found->back().get();
  const auto is_true = [row](int column) {
    return std::string_view(PQgetvalue(row, 0, column)) == "t";
  };
  if (is_true(0)) co_return std::nullopt;
  MigrationPlan plan{.tables = MigrationPlan::Origin::made,
                     .missing = known_version(),
                     .where = fmt::format("PostgreSQL {}, schema {}", session.where(), schema)};
  if (!is_true(1)) {
    plan.obstacles.push_back(fmt::format(
        R"("{0}" may make no schema: CREATE SCHEMA {2} AUTHORIZATION "{0}", or GRANT CREATE ON )"
        R"(DATABASE "{1}" TO "{0}")",
        PQgetvalue(row, 0, 2), PQgetvalue(row, 0, 3), schema));
  }
  auto conflict = co_await find_conflict(session, schema, wanted.owner, deadline);
  if (!conflict) co_return std::unexpected(conflict.error());
  if (auto& why = *conflict; why) plan.obstacles.push_back(*std::move(why));
  co_return plan;
}

// Looks first: if the schema exists, no privilege is needed.
Task<Result<void>> make_schema(Session& session, const WantedTables& wanted, Deadline deadline) {
  constexpr auto* kDoing = "making the schema";
  const auto found =
      co_await session.script(kDoing, fmt::format(kLookForSchema, wanted.schema), deadline);
  if (!found) co_return std::unexpected(found.error());
  if (std::string_view(PQgetvalue(found->back().get(), 0, 0)) == "t") co_return Result<void>();
  const auto allowed = co_await check_neighbours(session, wanted, deadline);
  if (!allowed) co_return std::unexpected(allowed.error());
  const auto made = co_await session.script(
      kDoing, fmt::format("CREATE SCHEMA IF NOT EXISTS {}", wanted.schema), deadline);
  if (!made) co_return std::unexpected(made.error());
  co_return Result<void>();
}

// Citus keeps all tables of a distributed schema on one node. An inner IF: Citus's objects are
// named only if it is installed. A role that does not own the schema leaves this to the owner.
constexpr const char* kDistribute = R"sql(
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')
     AND pg_has_role((SELECT nspowner FROM pg_namespace WHERE nspname = current_schema()), 'USAGE')
  THEN
    IF NOT EXISTS (SELECT FROM pg_dist_schema WHERE schemaid = current_schema()::text::regnamespace) THEN
      PERFORM citus_schema_distribute(current_schema()::text::regnamespace);
    END IF;
  END IF;
END $$
)sql";

}  // namespace

const std::string& read_version_sql() {
  static const std::string sql = fmt::format(
      "SELECT coalesce(greatest(max(version), least(max(abs(version)), {})), 0)::text"
      " FROM inventory_migration",
      known_version());
  return sql;
}

std::optional<Error> check_owner(const Session& session, const TablesOwner& owner,
                                 const PGresult* rows) {
  const auto name =
      PQntuples(rows) == 0 ? std::nullopt : std::optional<std::string>(PQgetvalue(rows, 0, 0));
  auto why = why_not_of(owner, name);
  if (why.empty()) return std::nullopt;
  return Error{Fault::unavailable, fmt::format("PostgreSQL {}: {}", session.where(), why)};
}

std::optional<Error> check_not_older(const Session& session, const PGresult* version) {
  const int found = read_int(version);
  return found < known_version() ? std::optional(older(session, found)) : std::nullopt;
}

Task<std::optional<Error>> find_unmigrated(Session& session, Deadline deadline) {
  const auto recorded = co_await has_versions(session, deadline);
  if (!recorded || *recorded) {
    co_return std::nullopt;
  }
  co_return older(session, 0);
}

Task<Result<MigrationPlan>> plan_migration(Session& session, const WantedTables& wanted,
                                           Deadline deadline) {
  const TablesOwner& owner = wanted.owner;
  if (!wanted.schema.empty()) {
    auto plan = co_await plan_schema(session, wanted, deadline);
    if (!plan) co_return std::unexpected(plan.error());
    if (auto& found = *plan; found) co_return *std::move(found);
  }
  const auto version = co_await applied_version(session, owner, deadline);
  if (!version) {
    co_return std::unexpected(version.error());
  }
  if (*version > known_version()) {
    co_return std::unexpected(newer(session, *version));
  }
  MigrationPlan plan{.missing = known_version() - *version,
                     .where = fmt::format("PostgreSQL {}", session.where())};
  if (plan.missing == 0) {
    co_return plan;
  }
  if (*version > 0) {
    auto taken = co_await examine_upgrade(session, deadline);
    if (!taken) {
      co_return std::unexpected(taken.error());
    }
    plan.obstacles = *std::move(taken);
  } else if (const auto looked = co_await look(session, wanted, plan, deadline); !looked) {
    co_return std::unexpected(looked.error());
  }
  if (plan.obstacles.empty()) {
    auto tried = co_await rehearse_alone(session, owner, *version, deadline);
    if (!tried) {
      co_return std::unexpected(tried.error());
    }
    plan.obstacles = *std::move(tried);
  }
  co_return plan;
}

Task<Result<int>> migrate(Session& session, const WantedTables& wanted,
                          std::chrono::milliseconds lock_timeout, Deadline deadline) {
  const TablesOwner& owner = wanted.owner;
  if (!wanted.schema.empty()) {
    const auto made = co_await make_schema(session, wanted, deadline);
    if (!made) co_return std::unexpected(made.error());
  }
  auto version = co_await applied_version(session, owner, deadline);
  int applied = 0;
  while (version && *version < known_version()) {
    version =
        co_await (*version == 0 ? apply_next(session, wanted, lock_timeout, deadline)
                                : apply_next_patiently(session, wanted, lock_timeout, deadline));
    if (version && *version < known_version()) {
      ++applied;
      ++*version;
    }
  }
  if (!version) {
    co_return std::unexpected(version.error());
  }
  if (*version > known_version()) {
    co_return std::unexpected(newer(session, *version));
  }
  if (owner.partition) {
    const auto distributed =
        co_await session.script("distributing the schema with Citus", kDistribute, deadline);
    if (!distributed) co_return std::unexpected(distributed.error());
  }
  co_return applied;
}

Task<Result<void>> check_ready(Session& session, const TablesOwner& owner, Deadline deadline) {
  const auto version = co_await applied_version(session, owner, deadline);
  if (!version) {
    co_return std::unexpected(version.error());
  }
  if (*version > known_version()) {
    co_return std::unexpected(newer(session, *version));
  }
  if (*version < known_version()) {
    co_return std::unexpected(older(session, *version));
  }
  // A standby refuses READ WRITE, but otherwise accepts a transaction that does not write.
  // Privileges and row-level security are checked although no row is read.
  const auto writable = co_await session.script(
      "checking that the database can be read and written",
      fmt::format("{}; SELECT FROM inventory LIMIT 0; SELECT FROM inventory_ledger LIMIT 0; SELECT "
                  "FROM inventory_item_request LIMIT 0; ROLLBACK",
                  kBegin.sql),
      deadline);
  if (!writable) {
    co_return std::unexpected(writable.error());
  }
  co_return Result<void>();
}

}  // namespace inventory::store::postgres
