#include "store/postgres/adoption.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

namespace inventory::store::postgres {
namespace {

// One row: whether the relation exists, its schema, whether its rows can be read, its columns, and
// an explicit MAXVALUE of its sequence. A MAXVALUE that follows from the sequence's type changes
// with the type.
constexpr const char* kFacts = R"sql(
WITH own AS (SELECT to_regclass('inventory')::oid AS oid), ids AS (
  SELECT seqrelid::regclass AS name, seqmax FROM own JOIN pg_sequence
    ON seqrelid = CASE WHEN EXISTS (SELECT FROM pg_attribute WHERE attrelid = own.oid
                                    AND attname = 'id' AND attnum > 0)
                  THEN coalesce(pg_get_serial_sequence(own.oid::regclass::text, 'id')::regclass,
                                to_regclass('inventory_id_seq')) END
  WHERE NOT (seqtypid = 'smallint'::regtype AND seqmax = 32767
             OR seqtypid = 'integer'::regtype AND seqmax = 2147483647)
)
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
            AND indpred IS NULL AND indexprs IS NULL),
  coalesce((SELECT seqmax::text FROM ids), ''),
  coalesce((SELECT quote_literal(format(
              'column id: its sequence %1$s ends at %2$s, and %%s of its rows have ids from there '
              'on%%s: ALTER SEQUENCE %1$s NO MAXVALUE', replace(name::text, '%', '%%'), seqmax))
            FROM ids), '')
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
  SELECT wanted.*, attnum, atttypmod, attgenerated,
    -- an extension's type, wherever the extension is
    CASE typname WHEN 'citext' THEN 'citext' ELSE atttypid::regtype::text END AS type
  FROM own CROSS JOIN wanted
  LEFT JOIN (pg_attribute JOIN pg_type ON pg_type.oid = atttypid)
    ON attrelid = table_oid AND attname = wanted.name AND attnum > 0 AND NOT attisdropped
), conditions AS MATERIALIZED (  -- first, as to show another's would open a table that may be gone
  SELECT *, oid AS condition_oid FROM pg_constraint WHERE conrelid = to_regclass('inventory')
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
), sequences AS (  -- where id owns none, migration 0001 makes one or takes that of this name
  SELECT own.relowner AS table_owner, nspname, seq.*, seq.oid AS seq_oid,
    (SELECT format('belongs to column %I of %s', attname, attrelid::regclass) FROM pg_depend
     JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
     WHERE classid = 'pg_class'::regclass AND objid = seq.oid AND deptype IN ('a', 'i')) AS column_of
  FROM own JOIN columns ON place = 1 AND attnum IS NOT NULL
  JOIN pg_namespace n ON n.oid = own.relnamespace
  LEFT JOIN pg_class seq ON seq.relname = 'inventory_id_seq' AND seq.relnamespace = n.oid
  WHERE own.relkind = 'r' AND pg_get_serial_sequence(table_oid::regclass::text, 'id') IS NULL
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
    ELSE format('column %1$s has the type %2$s, and takes %3$s: ALTER TABLE inventory ALTER COLUMN '
                '%1$s TYPE %4$s', columns.name, type, takes,
                (ARRAY['bigint', 'bigint', 'varchar', 'timestamp'])[place]) END
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
                   'UNIQUE (id)', pg_get_constraintdef(condition_oid))
  FROM conditions WHERE contype = 'p' AND NOT {0}
  UNION ALL
  SELECT 5, format('column %s has the type %s and has to become %s, but is used by %s: drop it, '
                   'and make it again afterwards', name, type,
                   CASE name WHEN 'description' THEN 'varchar' ELSE 'bigint' END, dependant)
  FROM dependants
  UNION ALL
  SELECT 4, format('it has no primary key, and the name of a new one is taken by %s%s: ALTER TABLE '
                   'inventory ADD PRIMARY KEY (id)',
                   pg_describe_object('pg_class'::regclass, taken.oid, 0),
                   (SELECT ' of ' || indrelid::regclass FROM pg_index
                    WHERE indexrelid = taken.oid))
  FROM own JOIN pg_class taken
    ON taken.relname = 'inventory_pkey' AND taken.relnamespace = own.relnamespace
  WHERE own.relkind = 'r'
    AND NOT EXISTS (SELECT FROM conditions WHERE contype = 'p')
  UNION ALL
  SELECT 4, format('its id owns no sequence, and %s: CREATE SEQUENCE %I.inventory_ids OWNED BY '
                   'inventory.id', reason, nspname)
  FROM sequences CROSS JOIN LATERAL (SELECT CASE
    WHEN nspname <> current_schema() THEN format('one would be made in schema %I', current_schema())
    WHEN relkind <> 'S' THEN format('the name of a new one is taken by %s',
                                    pg_describe_object('pg_class'::regclass, seq_oid, 0))
    WHEN column_of IS NOT NULL THEN 'inventory_id_seq ' || column_of
    WHEN relowner <> table_owner THEN
      format('inventory_id_seq belongs to %I', pg_get_userbyid(relowner)) END) AS why (reason)
  WHERE reason IS NOT NULL
  UNION ALL
  SELECT 4, format('its sequence %1$s counts down or begins anew at its end: ALTER SEQUENCE %1$s '
                   'INCREMENT 1 NO CYCLE', seqrelid::regclass)
  FROM own JOIN columns ON place = 1 AND attnum IS NOT NULL
  JOIN pg_sequence
    ON seqrelid = coalesce(pg_get_serial_sequence(table_oid::regclass::text, 'id')::regclass,
                           to_regclass('inventory_id_seq'))
  WHERE relkind = 'r' AND (seqincrement < 0 OR seqcycle)
  UNION ALL
  SELECT 4, format('its constraint %I is %s, and would be lost: rename it', conname,
                   pg_get_constraintdef(condition_oid))
  FROM conditions
  WHERE conname = 'inventory_quantity_not_negative'
    AND pg_get_constraintdef(condition_oid)
        !~ '^CHECK \(\(quantity >= \(?0\)?(::[a-z ]+)?\)\)( NOT VALID)?$'
  UNION ALL
  SELECT 6, format('search_path (%s) leads to no schema that is there: ALTER ROLE %I SET search_path '
                   '= public', current_setting('search_path'), current_user)
  WHERE current_schema() IS NULL
  UNION ALL
  SELECT 6, format('%I may make no tables in schema %I: GRANT CREATE ON SCHEMA %2$I TO %1$I',
                   current_user, current_schema())
  WHERE NOT has_schema_privilege(current_schema(), 'CREATE')
  UNION ALL
  SELECT 7, what FROM ({1}) AS taken (what)
)
SELECT what FROM found ORDER BY place, what
)sql";

// One row for each object with a name that a migration needs. {0}: the names.
constexpr const char* kTakenNames = R"sql(
SELECT format('%s is there already, and nothing says that it is the service''s: rename it or drop '
              'it', thing)
FROM (VALUES {0}) AS names (taken) CROSS JOIN LATERAL (
  SELECT pg_describe_object('pg_class'::regclass, oid, 0) FROM pg_class
  WHERE oid = to_regclass(taken)
    OR relname = taken AND relnamespace = quote_ident(current_schema())::regnamespace
  UNION
  SELECT pg_describe_object('pg_type'::regclass, oid, 0) FROM pg_type
  WHERE typname = taken AND typrelid = 0
    AND typnamespace = quote_ident(current_schema())::regnamespace) AS things (thing)
WHERE NOT (taken = 'inventory_migration' AND {1})
)sql";
constexpr std::string_view kNamesOfFirst =
    "('inventory_migration'), ('inventory_ledger'), ('inventory_ledger_pkey'), "
    "('inventory_item_request'), ('inventory_item_request_pkey')";
constexpr std::string_view kNamesOfSecond =
    "('inventory_hold'), ('inventory_hold_pkey'), ('inventory_hold_expires_at')";

std::string taken_names(std::string_view names) {
  return fmt::format(kTakenNames, names, kHasVersions);
}

// Obstacles to adding columns to the table in migration 0002. Columns elsewhere may have its row
// type: directly, or in an array, a domain, a range or a composite type.
constexpr const char* kUpgrade = R"sql(
WITH RECURSIVE own AS (
  SELECT *, oid AS table_oid FROM pg_class WHERE oid = to_regclass('inventory')
), holding (type) AS (
  SELECT reltype FROM own
  UNION
  SELECT more.type FROM holding CROSS JOIN LATERAL (
    SELECT typarray FROM pg_type WHERE oid = holding.type
    UNION ALL SELECT oid FROM pg_type WHERE typbasetype = holding.type
    UNION ALL SELECT rngtypid FROM pg_range WHERE rngsubtype = holding.type
    UNION ALL
    SELECT reltype FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE atttypid = holding.type AND NOT attisdropped AND relkind IN ('c', 'v')) AS more (type)
  WHERE more.type <> 0
)
SELECT format('it is a table OF %s, so it takes no more columns: ALTER TABLE inventory NOT OF',
              reloftype::regtype)
FROM own WHERE reloftype <> 0
UNION ALL
(SELECT format('column %I is there already, and the service needs one of that name for a use of '
               'its own: rename it', attname)
 FROM own JOIN pg_attribute ON attrelid = table_oid
 WHERE attname IN ('version', 'low_stock') AND attnum > 0 AND NOT attisdropped
 ORDER BY attname)
UNION ALL
(SELECT format('column %I of %s holds rows of it, so it takes no more columns: drop that column, or '
               'give it another type', attname, other.oid::regclass)
 FROM own CROSS JOIN pg_attribute JOIN pg_class other ON other.oid = attrelid
 WHERE atttypid IN (SELECT type FROM holding) AND NOT attisdropped
   AND other.relkind IN ('r', 'p', 'm', 'f')
 ORDER BY 1)
UNION ALL
{}
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

// The result of kFacts.
struct Facts {
  bool has_table;
  std::string schema;
  bool is_readable;
  std::string id_type;  // empty: there is no such column
  std::string quantity_type;
  bool is_id_unique;
  std::string ids_end;       // empty: no limit
  std::string ids_end_text;  // a literal: of how many rows, and of which the first
};

bool is_integer(std::string_view type) {
  return type == "smallint" || type == "integer" || type == "bigint";
}

bool is_number(std::string_view type) {
  return is_integer(type) || type == "numeric" || type == "real" || type == "double precision";
}

// One row for each kind of invalid row: their number, the first id, what is wrong.
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
  if (!facts.ids_end.empty()) {
    query += fmt::format("UNION ALL SELECT count(*), min(id), {} FROM inventory WHERE id >= {} ",
                         facts.ids_end_text, facts.ids_end);
  }
  return fmt::format(
      "SELECT format(what, rows, coalesce(', the first has id ' || first, '')) "
      "FROM ({}) AS wrong (rows, first, what) WHERE rows > 0",
      query);
}

}  // namespace

Task<Result<std::vector<std::string>>> examine_upgrade(Session& session, Deadline deadline) {
  const auto read =
      co_await session.script("looking at the table inventory",
                              fmt::format(kUpgrade, taken_names(kNamesOfSecond)), deadline);
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
                    std::string(text(row, 0, 3)), std::string(text(row, 0, 4)), is_true(row, 0, 5),
                    std::string(text(row, 0, 6)), std::string(text(row, 0, 7))};
  Surroundings found{.has_table = facts.has_table, .schema = facts.schema};
  const auto catalogue = co_await session.script(
      kDoing,
      fmt::format(kCatalogue, facts.is_id_unique ? "true" : "false", taken_names(kNamesOfFirst)),
      deadline);
  if (!catalogue) {
    co_return std::unexpected(catalogue.error());
  }
  found.obstacles = lines(catalogue->back().get());
  auto more_columns = co_await examine_upgrade(session, deadline);
  if (!more_columns) {
    co_return std::unexpected(more_columns.error());
  }
  std::ranges::move(*more_columns, std::back_inserter(found.obstacles));
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
