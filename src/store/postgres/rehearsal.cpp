#include "store/postgres/rehearsal.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace inventory::store::postgres {
namespace {

// A temporary table hides others of its name, unless search_path names pg_temp itself. Tables are
// still created in the first schema of search_path, as by the migrations. The copy's id has a
// sequence of its own: the table's is not touched.
constexpr const char* kSetTheStage = R"sql(
SAVEPOINT rehearsal;
SELECT set_config('search_path', string_agg(quote_ident(name), ', ' ORDER BY place), true)
FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (name, place)
WHERE name NOT LIKE 'pg\_temp\_%';
DO $$
DECLARE
  original regclass;
BEGIN
  FOR original IN
    SELECT to_regclass(name) FROM unnest('{inventory,inventory_ledger,inventory_item_request}'::text[])
      AS tables (name)
    WHERE to_regclass(name) IS NOT NULL
  LOOP
    EXECUTE (SELECT format('CREATE TEMPORARY TABLE %I (LIKE %I.%1$I INCLUDING ALL)', relname, nspname)
             FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
             WHERE pg_class.oid = original);
  END LOOP;
  IF to_regclass('pg_temp.inventory') IS NOT NULL
     AND pg_get_serial_sequence('pg_temp.inventory', 'id') IS NULL THEN
    CREATE TEMPORARY SEQUENCE inventory_id_seq AS integer OWNED BY pg_temp.inventory.id;
  END IF;
  IF to_regclass('inventory') <> to_regclass('pg_temp.inventory') THEN
    RAISE EXCEPTION 'the copy of the table inventory is not the first of that name';
  END IF;
END $$;
)sql";

constexpr const char* kEventTriggers =
    "SELECT coalesce(string_agg(quote_ident(evtname), ', ' ORDER BY evtname), '') "
    "FROM pg_event_trigger WHERE evtenabled <> 'D'";

constexpr const char* kTrying = "trying the migration on an empty copy";

std::string script_of(std::span<const Migration> missing) {
  std::string script = fmt::format("{} {}", kSetTheStage, kMakeVersions);
  for (const Migration& migration : missing) {
    script += fmt::format("; {}; INSERT INTO inventory_migration (version, name) VALUES ({}, '{}')",
                          migration.sql, migration.version, migration.name);
  }
  return script;
}

}  // namespace

const std::string_view kMakeVersions = R"sql(
CREATE TABLE IF NOT EXISTS inventory_migration (
  version INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
)
)sql";

Task<Result<std::vector<std::string>>> rehearse(Session& session,
                                                std::span<const Migration> missing,
                                                Deadline deadline) {
  std::vector<std::string> obstacles;
  const auto allowed =
      co_await session.script(kTrying,
                              "SELECT FROM pg_database WHERE datname = current_database() AND "
                              "has_database_privilege(oid, 'TEMPORARY')",
                              deadline);
  if (!allowed) {
    co_return std::unexpected(allowed.error());
  }
  if (PQntuples(allowed->back().get()) == 0) {
    co_return obstacles;
  }
  const auto tried = co_await session.script(kTrying, script_of(missing), deadline);
  if (!tried && (session.lost() || tried.error().fault == Fault::locked ||
                 tried.error().fault == Fault::retryable)) {
    co_return std::unexpected(tried.error());
  }
  const auto rolled_back = co_await session.script(
      kTrying, fmt::format("ROLLBACK TO SAVEPOINT rehearsal; {}", kEventTriggers), deadline);
  if (!rolled_back) {
    co_return std::unexpected(rolled_back.error());
  }
  if (!tried) {
    const std::string_view triggers = PQgetvalue(rolled_back->back().get(), 0, 0);
    obstacles.push_back(triggers.empty() ? tried.error().what
                                         : fmt::format("{}; the database has event triggers: {}",
                                                       tried.error().what, triggers));
  }
  co_return obstacles;
}

}  // namespace inventory::store::postgres
