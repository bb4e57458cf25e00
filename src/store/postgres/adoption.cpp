#include "store/postgres/adoption.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

namespace inventory::store::postgres {
namespace {

// One row: whether there is a relation, its schema, whether its rows can be read, and what is
// known of its columns.
constexpr const char* kFacts = R"sql(
WITH own AS (SELECT to_regclass('inventory')::oid AS oid)
SELECT c.oid IS NOT NULL,
  coalesce(n.nspname, current_schema(), ''),
  coalesce(c.relkind = 'r' AND has_table_privilege(c.oid, 'SELECT')
           AND NOT row_security_active(c.oid), false),
  coalesce((SELECT atttypid::regtype::text FROM pg_attribute
            WHERE attrelid = c.oid AND attname = 'id' AND attnum > 0), ''),
  coalesce((SELECT atttypid::regtype::text FROM pg_attribute
            WHERE attrelid = c.oid AND attname = 'quantity' AND attnum > 0), ''),
  EXISTS (SELECT FROM pg_index
          JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] AND attname = 'id'
          WHERE indrelid = c.oid AND indisunique AND indisvalid AND indnkeyatts = 1
            AND indpred IS NULL AND indexprs IS NULL)
FROM own LEFT JOIN pg_class c ON c.oid = own.oid LEFT JOIN pg_namespace n ON n.oid = relnamespace
)sql";

// One row for each obstacle that the catalogue shows. {0}: the id is unique.
constexpr const char* kCatalogue = R"sql(
WITH own AS (
  SELECT c.*, c.oid AS table_oid, format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE c.oid = to_regclass('inventory')
), wanted (place, name, types, takes) AS (VALUES
  (1, 'id', '{{smallint,integer,bigint}}'::text[], 'an integer type'),
  (2, 'quantity', '{{smallint,integer,bigint,numeric,real,double precision}}', 'a number type'),
  (3, 'description', '{{character varying,text,character,citext}}', 'a text type'),
  (4, 'created_at', '{{timestamp without time zone,timestamp with time zone,date}}',
   'timestamp without time zone')
), columns AS (
  SELECT wanted.*, attnum, atttypid, atttypmod, attgenerated, atttypid::regtype::text AS type
  FROM own CROSS JOIN wanted
  LEFT JOIN pg_attribute a
    ON attrelid = table_oid AND attname = wanted.name AND attnum > 0 AND NOT attisdropped
), changing AS (  -- what migration 0001 alters
  SELECT * FROM columns
  WHERE type = ANY (types) AND attgenerated = ''
    AND CASE WHEN place <= 2 THEN type <> 'bigint'
             WHEN place = 3 THEN type <> 'text' AND (type <> 'character varying' OR atttypmod >= 0)
             ELSE false END
), dependants AS (
  SELECT DISTINCT changing.name, changing.type, CASE
    WHEN classid = 'pg_rewrite'::regclass THEN
      (SELECT CASE relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view '
                           ELSE 'rule ' || quote_ident(rulename) || ' on ' END
              || ev_class::regclass::text
       FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class WHERE pg_rewrite.oid = objid)
    ELSE pg_describe_object(classid, objid, objsubid) END AS dependant
  FROM own CROSS JOIN changing
  JOIN pg_depend ON refclassid = 'pg_class'::regclass AND refobjid = table_oid
    AND refobjsubid = changing.attnum
  WHERE classid NOT IN ('pg_constraint'::regclass, 'pg_statistic_ext'::regclass)
    AND NOT (classid = 'pg_class'::regclass AND (objid <> table_oid OR objsubid = 0))
    AND NOT (classid = 'pg_attrdef'::regclass AND EXISTS (
      SELECT FROM pg_attrdef WHERE pg_attrdef.oid = objid AND adnum = changing.attnum))
  UNION ALL  -- rows of the table that others keep
  SELECT changing.name, changing.type, format('column %I of %s', a.attname, other.oid::regclass)
  FROM own CROSS JOIN changing
  JOIN pg_type t ON own.reltype IN (t.oid, t.typelem) JOIN pg_attribute a ON a.atttypid = t.oid
  JOIN pg_class other ON other.oid = a.attrelid AND other.relkind IN ('r', 'p', 'm', 'f')
  WHERE NOT a.attisdropped
), found (place, what) AS (
  SELECT 0, format('%s is %s and no table', name, CASE relkind
    WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view' WHEN 'f' THEN 'a foreign table'
    WHEN 'p' THEN 'a partitioned table' WHEN 'S' THEN 'a sequence' ELSE 'something else' END)
  FROM own WHERE relkind <> 'r'
  UNION ALL
  SELECT 1, format('it belongs to %I: migrate as that role', pg_get_userbyid(relowner))
  FROM own WHERE relkind = 'r' AND NOT pg_has_role(relowner, 'USAGE')
  UNION ALL
  SELECT 1, format('row-level security hides rows from %I: let a role with BYPASSRLS migrate, or '
                   'ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', current_user, name)
  FROM own WHERE relkind = 'r' AND row_security_active(table_oid)
  UNION ALL
  SELECT 1, format('it is temporary: drop it or rename it') FROM own WHERE relpersistence = 't'
  UNION ALL
  SELECT 1, format('it is UNLOGGED, so a crash of the server empties it: ALTER TABLE %s SET LOGGED',
                   name)
  FROM own WHERE relpersistence = 'u'
  UNION ALL
  SELECT 1, format('it has parent or child tables (INHERITS or PARTITION OF): %s',
                   string_agg(other, ', ' ORDER BY other))
  FROM (SELECT CASE WHEN inhparent = table_oid THEN inhrelid ELSE inhparent END::regclass::text
        FROM own JOIN pg_inherits ON table_oid IN (inhparent, inhrelid)
        WHERE relkind = 'r') AS family (other)
  HAVING count(*) > 0
  UNION ALL
  SELECT 2, CASE
    WHEN attnum IS NULL AND place = 3 THEN
      'column description is missing: ALTER TABLE inventory ADD COLUMN description VARCHAR'
    WHEN attnum IS NULL AND place = 4 THEN
      'column created_at is missing: ALTER TABLE inventory ADD COLUMN created_at TIMESTAMP '
      'DEFAULT now()'
    WHEN attnum IS NULL THEN format('column %s is missing', columns.name)
    WHEN attgenerated <> '' THEN
      format('column %s is generated, and cannot be written', columns.name)
    ELSE format('column %s has the type %s, and takes %s', columns.name, type, takes) END
  FROM columns CROSS JOIN own
  WHERE relkind = 'r'
    AND (attnum IS NULL OR attgenerated <> '' OR NOT coalesce(type = ANY (types), false))
  UNION ALL
  SELECT 3, format('column %1$I takes no NULL and has no default, so no item can be added: ALTER '
                   'TABLE inventory ALTER COLUMN %1$I DROP NOT NULL, or SET DEFAULT', attname)
  FROM own JOIN pg_attribute ON attrelid = table_oid
  WHERE relkind = 'r' AND attnum > 0 AND NOT attisdropped AND attnotnull AND NOT atthasdef
    AND attidentity = '' AND attname NOT IN (SELECT wanted.name FROM wanted)
  UNION ALL
  SELECT 4, format('its primary key is %s, and nothing makes id unique: ALTER TABLE inventory ADD '
                   'UNIQUE (id)', pg_get_constraintdef(pg_constraint.oid))
  FROM own JOIN pg_constraint ON conrelid = table_oid AND contype = 'p' WHERE NOT {0}
  UNION ALL
  SELECT 5, format('column %s has the type %s and has to become %s, but is used by %s: drop it, '
                   'and make it again afterwards', name, type,
                   CASE name WHEN 'description' THEN 'varchar' ELSE 'bigint' END, dependant)
  FROM dependants
  UNION ALL
  SELECT 6, format('%s is there already, but no table inventory_migration that says whose it is: '
                   'rename it or drop it', to_regclass(taken))
  FROM (VALUES ('inventory_ledger'), ('inventory_item_request'), ('inventory_hold'))
    AS names (taken)
  WHERE to_regclass(taken) IS NOT NULL
)
SELECT what FROM found ORDER BY place, what
)sql";

constexpr const char* kTakenColumns = R"sql(
SELECT format('column %I is there already, and the service needs one of that name for a use of its '
              'own: rename it', attname)
FROM pg_attribute
WHERE attrelid = to_regclass('inventory') AND attname IN ('version', 'low_stock')
  AND attnum > 0 AND NOT attisdropped
ORDER BY attname
)sql";

constexpr const char* kLookAlikes = R"sql(
SELECT format('%I.%I', nspname, relname) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE lower(relname) = 'inventory' AND relkind IN ('r', 'p', 'v', 'm', 'f')
  AND nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
ORDER BY 1 LIMIT 20
)sql";

std::string_view text(const PGresult* rows, int row, int column) {
  return PQgetvalue(rows, row, column);
}

bool is_true(const PGresult* rows, int row, int column) { return text(rows, row, column) == "t"; }

std::vector<std::string> lines(const PGresult* rows) {
  std::vector<std::string> lines;
  lines.reserve(static_cast<std::size_t>(PQntuples(rows)));
  for (int row = 0; row < PQntuples(rows); ++row) {
    lines.emplace_back(text(rows, row, 0));
  }
  return lines;
}

// What kFacts says of a relation.
struct Facts {
  bool has_table;
  std::string schema;
  bool is_readable;
  std::string id_type;  // empty: there is no such column
  std::string quantity_type;
  bool is_id_unique;
};

bool is_integer(std::string_view type) {
  return type == "smallint" || type == "integer" || type == "bigint";
}

bool is_number(std::string_view type) {
  return is_integer(type) || type == "numeric" || type == "real" || type == "double precision";
}

// One row for each kind of rows that are no items: their number, the first id, what is wrong.
std::string rows_query(const Facts& facts) {
  std::string query =
      "SELECT count(*), min(id), 'column id: %s of its rows have an id that is NULL, below 1 or "
      "above 2^53-1, so that nobody can order them%s' FROM inventory WHERE id IS NULL OR id < 1 OR "
      "id > 9007199254740991 ";
  if (!facts.is_id_unique) {
    query +=
        "UNION ALL SELECT count(*), min(id), 'column id: %s ids have more than one row%s; leave "
        "one of each' FROM (SELECT id FROM inventory GROUP BY id HAVING count(*) > 1) AS twice ";
  }
  if (is_number(facts.quantity_type)) {
    query +=
        "UNION ALL SELECT count(*), min(id), 'column quantity: %s of its rows have a value that is "
        "negative or NULL%s; set these to 0 or more' FROM inventory WHERE quantity IS NULL OR "
        "quantity < 0 UNION ALL SELECT count(*), min(id), 'column quantity: %s of its rows have a "
        "value above 2^53-1, or none that is a number%s' FROM inventory WHERE quantity > "
        "9007199254740991 ";
    if (!is_integer(facts.quantity_type)) {
      query +=
          "UNION ALL SELECT count(*), min(id), 'column quantity: %s of its rows have a value with "
          "a fraction, and stock is counted in whole pieces%s; round these, or count in a smaller "
          "unit' FROM inventory WHERE quantity <> trunc(quantity) ";
    }
  }
  return fmt::format(
      "SELECT format(what, rows, coalesce(', the first has id ' || first, '')) "
      "FROM ({}) AS wrong (rows, first, what) WHERE rows > 0",
      query);
}

}  // namespace

Task<Result<std::vector<std::string>>> taken_columns(Session& session, Deadline deadline) {
  const auto read =
      co_await session.script("looking at the table inventory", kTakenColumns, deadline);
  if (!read) {
    co_return std::unexpected(read.error());
  }
  co_return lines(read->back().get());
}

Task<Result<Surroundings>> examine(Session& session, Deadline deadline) {
  constexpr auto* kDoing = "looking at the table inventory";
  const auto read = co_await session.script(kDoing, kFacts, deadline);
  if (!read) {
    co_return std::unexpected(read.error());
  }
  const PGresult* row = read->back().get();
  const Facts facts{is_true(row, 0, 0),           std::string(text(row, 0, 1)), is_true(row, 0, 2),
                    std::string(text(row, 0, 3)), std::string(text(row, 0, 4)), is_true(row, 0, 5)};
  Surroundings found{.has_table = facts.has_table, .schema = facts.schema};
  const auto catalogue = co_await session.script(
      kDoing, fmt::format(kCatalogue, facts.is_id_unique ? "true" : "false"), deadline);
  if (!catalogue) {
    co_return std::unexpected(catalogue.error());
  }
  found.obstacles = lines(catalogue->back().get());
  auto taken = co_await taken_columns(session, deadline);
  if (!taken) {
    co_return std::unexpected(taken.error());
  }
  std::ranges::move(*taken, std::back_inserter(found.obstacles));
  const bool has_rows = facts.is_readable && is_integer(facts.id_type);
  const auto more =
      co_await session.script(kDoing, has_rows ? rows_query(facts) : kLookAlikes, deadline);
  if (!more) {
    co_return std::unexpected(more.error());
  }
  if (has_rows) {
    std::ranges::move(lines(more->back().get()), std::back_inserter(found.obstacles));
  } else if (!facts.has_table) {
    found.look_alikes = lines(more->back().get());
  }
  co_return found;
}

}  // namespace inventory::store::postgres
