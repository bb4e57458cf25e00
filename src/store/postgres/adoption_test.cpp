// A table as others make it: what stands in the way of its adoption, and what does not.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/postgres/testing/store_fixture.h"

namespace inventory::store::postgres {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class AdoptionTest : public StoreTest {
 protected:
  MigrationPlan plan() {
    const auto planned = run(store(schema->options())->plan_migration());
    EXPECT_TRUE(planned) << planned.error().what;
    return planned.value_or(MigrationPlan());
  }

  // The obstacles that a dry run and migrate() find alike. Nothing is changed.
  std::vector<std::string> obstacles() {
    const auto found = plan().obstacles;
    const auto migrated = run(store(schema->options())->migrate());
    EXPECT_EQ(migrated.has_value(), found.empty());
    for (const auto& obstacle : found) {
      // Event triggers are the whole database's: another test may have made one meanwhile.
      const auto end = obstacle.find("; the database has event triggers");
      EXPECT_THAT(migrated.error().what, HasSubstr(obstacle.substr(0, end)));
      EXPECT_EQ(migrated.error().fault, Fault::refused);
    }
    EXPECT_EQ(schema->sql("SELECT to_regclass('inventory_item_request') IS NULL"),
              found.empty() ? "f" : "t");
    return found;
  }

  // A table that has what is needed, with more columns or conditions.
  void make_table(const std::string& more = "", const std::string& quantity = "BIGINT NOT NULL") {
    schema->sql("CREATE TABLE inventory (id BIGSERIAL PRIMARY KEY, quantity " + quantity +
                ", description VARCHAR, created_at TIMESTAMP DEFAULT now()" + more + ")");
  }
};

TEST_F(AdoptionTest, SaysThatTablesWouldBeMadeWhereThereIsNone) {
  const auto made = plan();
  EXPECT_EQ(made.tables, MigrationPlan::Origin::made);
  EXPECT_THAT(made.where, HasSubstr("schema " + schema->name()));
  EXPECT_EQ(made.missing, 2);
  EXPECT_EQ(schema->sql("SELECT to_regclass('inventory_migration') IS NULL"), "t");
}

TEST_F(AdoptionTest, NamesTablesThatMayHaveBeenMeant) {
  const auto other = schema->name() + "_shop";
  schema->sql(
      fmt::format("CREATE TABLE \"Inventory\" (id INTEGER); CREATE SCHEMA {0}; "
                  "CREATE VIEW {0}.inventory AS SELECT 1",
                  other));
  EXPECT_THAT(plan().look_alikes,
              testing::IsSupersetOf({other + ".inventory", schema->name() + ".\"Inventory\""}));
  schema->sql(fmt::format("DROP SCHEMA {} CASCADE", other));
}

TEST_F(AdoptionTest, SaysThatATableWouldBeAdoptedAndHasNothingMoreToDoAfterIt) {
  make_table();
  EXPECT_EQ(plan().tables, MigrationPlan::Origin::adopted);
  EXPECT_THAT(obstacles(), IsEmpty());
  EXPECT_EQ(plan().tables, MigrationPlan::Origin::current);
  EXPECT_EQ(plan().missing, 0);
}

TEST_F(AdoptionTest, OpensNoOtherTable) {
  const auto other = schema->name() + "_shop";
  make_table();
  schema->sql(
      fmt::format("CREATE SCHEMA {0}; CREATE TABLE {0}.inventory (quantity BIGINT, "
                  "CONSTRAINT inventory_quantity_not_negative CHECK (quantity >= 0))",
                  other));
  schema->sql(fmt::format("BEGIN; LOCK TABLE {}.inventory", other));
  EXPECT_THAT(plan().obstacles, IsEmpty());
  schema->sql("COMMIT");
  schema->sql(fmt::format("DROP SCHEMA {} CASCADE", other));
}

TEST_F(AdoptionTest, FindsAllThatIsInTheWayAtOnce) {
  schema->sql(
      "CREATE UNLOGGED TABLE inventory (id INTEGER, quantity NUMERIC(20,3), description VARCHAR, "
      "sku TEXT NOT NULL);"
      "CREATE VIEW few AS SELECT id FROM inventory WHERE quantity < 5;"
      "INSERT INTO inventory VALUES (1, 0.5, '', 'a'), (2, 2, '', 'b'), (2, 2.5, '', 'c'), "
      "(3, -1, '', 'd'), (4, 9007199254740992, '', 'e'), (0, 'NaN', '', 'f')");
  EXPECT_THAT(
      obstacles(),
      ElementsAre(
          AllOf(HasSubstr("UNLOGGED"), HasSubstr("SET LOGGED")),
          AllOf(HasSubstr("created_at is missing"), HasSubstr("ADD COLUMN created_at")),
          AllOf(HasSubstr("sku"), HasSubstr("no default")),
          AllOf(HasSubstr("column id has the type integer"), HasSubstr("view few")),
          AllOf(HasSubstr("column quantity has the type numeric"), HasSubstr("view few")),
          AllOf(HasSubstr("1 of its rows have an id"), HasSubstr("the first has id 0")),
          AllOf(HasSubstr("1 ids have more than one row"), HasSubstr("the first has id 2")),
          AllOf(HasSubstr("1 of its rows have a value that is negative"), HasSubstr("id 3")),
          AllOf(HasSubstr("2 of its rows have a value above 2^53-1"), HasSubstr("id 0")),
          AllOf(HasSubstr("2 of its rows have a value with a fraction"), HasSubstr("id 1"))));
}

TEST_F(AdoptionTest, RoundsNoQuantityOfFloatingPoint) {
  make_table("", "REAL");
  schema->sql("INSERT INTO inventory (quantity) VALUES (3), (2.5), ('Infinity')");
  EXPECT_THAT(obstacles(), ElementsAre(HasSubstr("1 of its rows have a value above"),
                                       HasSubstr("1 of its rows have a value with a fraction")));
  schema->sql("UPDATE inventory SET quantity = 4 WHERE id > 1");
  EXPECT_THAT(obstacles(), IsEmpty());
  EXPECT_EQ(schema->sql("SELECT sum(quantity) FROM inventory"), "11");
}

// What does not have to change is not altered, so what depends on it is no obstacle.
TEST_F(AdoptionTest, LeavesAloneWhatDependsOnColumnsThatNeedNotChange) {
  make_table(", twice BIGINT GENERATED ALWAYS AS (quantity * 2) STORED, note TEXT DEFAULT 'x'");
  schema->sql(
      "INSERT INTO inventory (quantity) VALUES (2);"
      "CREATE VIEW few AS SELECT id, quantity, description FROM inventory WHERE quantity < 5;"
      "CREATE MATERIALIZED VIEW seen AS SELECT * FROM inventory;"
      "CREATE INDEX by_quantity ON inventory (quantity);"
      "CREATE FUNCTION total() RETURNS BIGINT LANGUAGE SQL BEGIN ATOMIC SELECT sum(quantity) FROM "
      "inventory; END;"
      "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
      "CREATE TRIGGER watch BEFORE UPDATE OF quantity ON inventory FOR EACH ROW WHEN "
      "(OLD.quantity > 0) EXECUTE FUNCTION nothing()");
  EXPECT_THAT(obstacles(), IsEmpty());
  EXPECT_EQ(schema->sql("SELECT quantity FROM few"), "2");
}

TEST_F(AdoptionTest, NamesEachThingThatUsesAColumnWhoseTypeHasToChange) {
  make_table(", twice INTEGER GENERATED ALWAYS AS (quantity * 2) STORED", "INTEGER");
  schema->sql(
      "CREATE VIEW few AS SELECT id FROM inventory WHERE quantity < 5;"
      "CREATE MATERIALIZED VIEW seen AS SELECT quantity FROM inventory;"
      "CREATE INDEX by_quantity ON inventory (quantity);"
      "CREATE FUNCTION total() RETURNS BIGINT LANGUAGE SQL BEGIN ATOMIC SELECT sum(quantity) FROM "
      "inventory; END;"
      "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
      "CREATE TRIGGER watch BEFORE UPDATE OF quantity ON inventory FOR EACH ROW EXECUTE FUNCTION "
      "nothing();"
      "CREATE POLICY mine ON inventory USING (quantity > 0)");
  EXPECT_THAT(obstacles(),
              testing::UnorderedElementsAre(
                  HasSubstr("view few"), HasSubstr("materialized view seen"), HasSubstr("twice"),
                  HasSubstr("function"), HasSubstr("trigger watch"), HasSubstr("policy mine")));
}

TEST_F(AdoptionTest, AdoptsAnIdThatIsAlwaysGenerated) {
  schema->sql(
      "CREATE TABLE inventory (id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY, quantity "
      "INTEGER NOT NULL, description VARCHAR, created_at TIMESTAMP DEFAULT now())");
  EXPECT_THAT(obstacles(), IsEmpty());
  const auto added = run(add_items(*store(schema->options()), Items{item("m1", 3)}));
  ASSERT_TRUE(added) << added.error().what;
  EXPECT_EQ(added->front().item.id, 1);
}

TEST_F(AdoptionTest, TakesNothingThatIsNoTable) {
  schema->sql("CREATE VIEW inventory AS SELECT 1 AS id, 2 AS quantity");
  EXPECT_THAT(obstacles(), ElementsAre(HasSubstr("is a view and no table")));
  schema->sql(
      "DROP VIEW inventory; CREATE TABLE inventory (id INTEGER, quantity INTEGER) "
      "PARTITION BY RANGE (id)");
  EXPECT_THAT(obstacles(), ElementsAre(HasSubstr("partitioned")));
}

TEST_F(AdoptionTest, WantsIdsThatAreUnique) {
  schema->sql(
      "CREATE TABLE inventory (id INTEGER, quantity INTEGER, description VARCHAR, created_at "
      "TIMESTAMP, sku INTEGER PRIMARY KEY)");
  EXPECT_THAT(obstacles(), ElementsAre(HasSubstr("sku"), AllOf(HasSubstr("PRIMARY KEY (sku)"),
                                                               HasSubstr("ADD UNIQUE (id)"))));
}

TEST_F(AdoptionTest, SaysWhoseTableItIsAndThatRowsAreHidden) {
  make_table();
  const auto role = schema->name() + "_role";
  schema->sql(fmt::format("CREATE ROLE {0}; GRANT USAGE, CREATE ON SCHEMA {1} TO {0};", role,
                          schema->name()));
  const auto limited = store(schema->options("-c role=" + role));
  EXPECT_THAT(run(limited->plan_migration())->obstacles, ElementsAre(HasSubstr("it belongs to")));
  schema->sql(
      fmt::format("ALTER TABLE inventory OWNER TO {}; ALTER TABLE inventory ENABLE ROW "
                  "LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
                  role));
  EXPECT_THAT(run(limited->plan_migration())->obstacles,
              ElementsAre(AllOf(HasSubstr("row-level security"), HasSubstr("NO FORCE"))));
  schema->sql("ALTER TABLE inventory NO FORCE ROW LEVEL SECURITY");
  EXPECT_THAT(run(limited->plan_migration())->obstacles, IsEmpty());
  schema->sql(fmt::format("DROP OWNED BY {0} CASCADE; DROP ROLE {0}", role));
}

TEST_F(AdoptionTest, TakesNoTablesThatOnlyHaveTheServicesNames) {
  schema->sql("CREATE TABLE inventory_ledger (x INTEGER)");
  EXPECT_THAT(obstacles(), ElementsAre(HasSubstr("inventory_ledger is there already")));
}

TEST_F(AdoptionTest, NamesWhateverHasANameThatItGives) {
  make_table();
  schema->sql(
      "CREATE TABLE inventory_migration (id INTEGER, label TEXT);"
      "CREATE SEQUENCE inventory_ledger;"
      "CREATE DOMAIN inventory_item_request AS INTEGER;"
      "CREATE TABLE others (x INTEGER CONSTRAINT inventory_ledger_pkey PRIMARY KEY);"
      "CREATE VIEW inventory_hold AS SELECT 1 AS one;"
      "CREATE INDEX inventory_hold_expires_at ON others (x)");
  EXPECT_THAT(obstacles(), testing::UnorderedElementsAre(
                               HasSubstr("table inventory_migration is there already"),
                               HasSubstr("sequence inventory_ledger is there already"),
                               HasSubstr("type inventory_item_request is there already"),
                               HasSubstr("index inventory_ledger_pkey is there already"),
                               HasSubstr("view inventory_hold is there already"),
                               HasSubstr("index inventory_hold_expires_at is there already")));
}

// CREATE TABLE AS copies rows, and neither keys nor defaults.
TEST_F(AdoptionTest, SaysHowATableThatWasMadeFromAnOlderOneGetsAKeyAndASequence) {
  make_table();
  schema->sql(
      "INSERT INTO inventory (quantity) VALUES (4), (5);"
      "ALTER TABLE inventory RENAME TO old; CREATE TABLE inventory AS TABLE old");
  EXPECT_THAT(
      obstacles(),
      ElementsAre(
          AllOf(HasSubstr("index inventory_pkey of old"), HasSubstr("ADD PRIMARY KEY (id)")),
          AllOf(HasSubstr("belongs to column id of old"), HasSubstr("CREATE SEQUENCE"))));
  schema->sql(
      "ALTER TABLE inventory ADD PRIMARY KEY (id);"
      "CREATE SEQUENCE inventory_ids OWNED BY inventory.id");
  EXPECT_THAT(obstacles(), IsEmpty());
  const auto added = run(add_items(*store(schema->options()), Items{item("m1", 3)}));
  ASSERT_TRUE(added) << added.error().what;
  EXPECT_EQ(added->front().item.id, 3);
}

TEST_F(AdoptionTest, TakesNoSequenceThatIsNotTheTables) {
  schema->sql(
      "CREATE TABLE inventory (id INTEGER PRIMARY KEY, quantity INTEGER, description VARCHAR, "
      "created_at TIMESTAMP); CREATE TABLE inventory_id_seq (x INTEGER)");
  EXPECT_THAT(obstacles(), ElementsAre(HasSubstr("taken by table inventory_id_seq")));
  schema->sql("DROP TABLE inventory_id_seq; CREATE SEQUENCE inventory_id_seq");
  EXPECT_THAT(obstacles(), IsEmpty());
}

TEST_F(AdoptionTest, WantsASequenceInTheTablesSchema) {
  schema->sql(
      "CREATE TABLE inventory (id INTEGER PRIMARY KEY, quantity INTEGER, description VARCHAR, "
      "created_at TIMESTAMP)");
  const auto first = schema->name() + "_first";
  schema->sql("CREATE SCHEMA " + first);
  const auto beside =
      store(schema->options(fmt::format("-c search_path={},{}", first, schema->name())));
  const auto planned = run(beside->plan_migration());
  ASSERT_TRUE(planned) << planned.error().what;
  EXPECT_THAT(planned->obstacles, ElementsAre(HasSubstr("would be made in schema " + first)));
  schema->sql(fmt::format("CREATE SEQUENCE {}.ids OWNED BY inventory.id", schema->name()));
  EXPECT_TRUE(run(beside->migrate()));
  schema->sql(fmt::format("DROP SCHEMA {} CASCADE", first));
}

TEST_F(AdoptionTest, WantsASequenceThatHasIdsLeft) {
  make_table();
  schema->sql(
      "ALTER SEQUENCE inventory_id_seq MAXVALUE 100;"
      "INSERT INTO inventory VALUES (99, 1), (500, 1)");
  EXPECT_THAT(obstacles(),
              ElementsAre(AllOf(HasSubstr("inventory_id_seq ends at 100"),
                                HasSubstr("1 of its rows"), HasSubstr("the first has id 500"),
                                HasSubstr("ALTER SEQUENCE inventory_id_seq NO MAXVALUE"))));
  schema->sql("ALTER SEQUENCE inventory_id_seq NO MAXVALUE");
  EXPECT_THAT(obstacles(), IsEmpty());
}

TEST_F(AdoptionTest, WantsASequenceThatGivesNoIdTwice) {
  make_table();
  for (const auto* how : {"INCREMENT -1", "MAXVALUE 1000 CYCLE"}) {
    schema->sql(fmt::format("ALTER SEQUENCE inventory_id_seq {}", how));
    EXPECT_THAT(obstacles(), ElementsAre(HasSubstr("inventory_id_seq INCREMENT 1 NO CYCLE")))
        << how;
    schema->sql("ALTER SEQUENCE inventory_id_seq INCREMENT 1 NO CYCLE");
  }
  EXPECT_THAT(obstacles(), IsEmpty());
}

TEST_F(AdoptionTest, TakesNoConstraintAwayThatOnlyHasTheNameOfItsOwn) {
  make_table(", CONSTRAINT inventory_quantity_not_negative UNIQUE (description)");
  EXPECT_THAT(obstacles(), ElementsAre(HasSubstr("UNIQUE (description), and would be lost")));
  for (const auto* type : {"bigint", "integer", "numeric", "smallint", "real"}) {
    schema->sql("DROP TABLE inventory");
    make_table(", CONSTRAINT inventory_quantity_not_negative CHECK (quantity >= 0)", type);
    EXPECT_THAT(plan().obstacles, IsEmpty()) << type;
  }
  EXPECT_THAT(obstacles(), IsEmpty());
}

// Where a column holds rows of the table, whatever is around them, the table takes no more columns.
TEST_F(AdoptionTest, NamesEachColumnThatHoldsItsRows) {
  make_table();
  schema->sql(
      "CREATE DOMAIN checked AS inventory; CREATE TYPE pair AS (before inventory, after inventory);"
      "CREATE TABLE a (x inventory[]); CREATE TABLE b (x checked); CREATE TABLE c (x pair[])");
  EXPECT_THAT(obstacles(),
              ElementsAre(HasSubstr("column x of a holds"), HasSubstr("column x of b holds"),
                          HasSubstr("column x of c holds")));
  schema->sql("DROP TABLE a, b, c; CREATE VIEW seen AS SELECT i FROM inventory i");
  EXPECT_THAT(obstacles(), IsEmpty());
}

TEST_F(AdoptionTest, TakesNoTypedTable) {
  schema->sql(
      "CREATE TYPE row AS (id BIGINT, quantity BIGINT, description VARCHAR, created_at TIMESTAMP);"
      "CREATE TABLE inventory OF row (PRIMARY KEY (id))");
  EXPECT_THAT(obstacles(), ElementsAre(HasSubstr("ALTER TABLE inventory NOT OF")));
  schema->sql("ALTER TABLE inventory NOT OF");
  EXPECT_THAT(obstacles(), IsEmpty());
}

TEST_F(AdoptionTest, SaysThatSearchPathLeadsNowhere) {
  const auto nowhere = store(schema->options("-c search_path=nowhere"));
  const auto planned = run(nowhere->plan_migration());
  ASSERT_TRUE(planned) << planned.error().what;
  EXPECT_THAT(planned->where, HasSubstr("no schema"));
  EXPECT_THAT(planned->obstacles,
              ElementsAre(HasSubstr("search_path (nowhere) leads to no schema")));
  const auto migrated = run(nowhere->migrate());
  ASSERT_FALSE(migrated);
  EXPECT_THAT(migrated.error().what, HasSubstr("search_path (nowhere) leads to no schema"));
}

TEST_F(AdoptionTest, SaysThatTheRoleMayMakeNoTables) {
  const auto role = schema->name() + "_role";
  schema->sql(
      fmt::format("CREATE ROLE {0}; GRANT USAGE ON SCHEMA {1} TO {0}", role, schema->name()));
  const auto limited = store(schema->options("-c role=" + role));
  EXPECT_THAT(run(limited->plan_migration())->obstacles,
              ElementsAre(AllOf(HasSubstr("may make no tables"), HasSubstr("GRANT CREATE ON"))));
  schema->sql(fmt::format("DROP OWNED BY {0}; DROP ROLE {0}", role));
}

// What only PostgreSQL itself can tell shows when it is tried, before anything is changed.
TEST_F(AdoptionTest, SaysWhatPostgresqlRefusesOnAnEmptyCopy) {
  make_table("", "INTEGER");
  schema->sql(
      "INSERT INTO inventory (quantity) VALUES (4);"
      "CREATE FUNCTION half(INTEGER) RETURNS INTEGER LANGUAGE SQL IMMUTABLE AS 'SELECT $1 / 2';"
      "CREATE INDEX halves ON inventory (half(quantity))");
  EXPECT_THAT(obstacles(), ElementsAre(AllOf(HasSubstr("empty copy"), HasSubstr("half(bigint)"))));
  EXPECT_EQ(schema->sql("SELECT count(*) FROM inventory"), "1");
  schema->sql("DROP INDEX halves");
  EXPECT_THAT(obstacles(), IsEmpty());
}

TEST_F(AdoptionTest, SaysWhichEventTriggersThereAreWhereOneRefuses) {
  make_table();
  const auto trigger = schema->name() + "_office";
  // Of this schema only: an event trigger is the whole database's, which other tests use too.
  schema->sql(fmt::format(
      "CREATE FUNCTION closed() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN IF "
      "current_setting('search_path') LIKE '%{0}%' AND current_setting('application_name') = '{0}' "
      "THEN RAISE EXCEPTION 'the office is closed'; END IF; END $$;"
      "CREATE EVENT TRIGGER {1} ON ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION "
      "closed()",
      schema->name(), trigger));
  const auto found = obstacles();
  schema->sql("DROP EVENT TRIGGER " + trigger);
  EXPECT_THAT(found, ElementsAre(AllOf(HasSubstr("the office is closed"), HasSubstr(trigger))));
}

// A temporary table that search_path puts last would not be found first.
TEST_F(AdoptionTest, TriesNothingOnTheTableItself) {
  make_table("", "INTEGER");
  const auto file = schema->sql("SELECT pg_relation_filenode('inventory')");
  schema->sql("BEGIN; LOCK TABLE inventory IN SHARE UPDATE EXCLUSIVE MODE");
  const auto planned =
      run(store(schema->options(fmt::format("-c search_path={},pg_temp", schema->name())))
              ->plan_migration());
  schema->sql("COMMIT");
  ASSERT_TRUE(planned) << planned.error().what;
  EXPECT_THAT(planned->obstacles, IsEmpty());
  EXPECT_EQ(schema->sql("SELECT pg_relation_filenode('inventory')"), file);
  EXPECT_EQ(schema->sql("SELECT to_regclass('inventory_ledger') IS NULL"), "t");
}

TEST_F(AdoptionTest, TakesADescriptionOfAnExtensionsTypeWhereverThatIs) {
  const auto other = schema->name() + "_types";
  schema->sql(fmt::format("CREATE SCHEMA {0}; CREATE DOMAIN {0}.citext AS TEXT", other));
  schema->sql(fmt::format(
      "CREATE TABLE inventory (id BIGSERIAL PRIMARY KEY, quantity BIGINT, description {}.citext, "
      "created_at TIMESTAMP); INSERT INTO inventory (quantity, description) VALUES (1, 'Shirt')",
      other));
  EXPECT_THAT(obstacles(), IsEmpty());
  EXPECT_EQ(schema->sql("SELECT description FROM inventory WHERE description = 'Shirt'"), "Shirt");
  EXPECT_EQ(schema->sql("SELECT atttypid::regtype FROM pg_attribute WHERE attrelid = "
                        "'inventory'::regclass AND attname = 'description'"),
            "character varying");
  schema->sql(fmt::format("DROP SCHEMA {} CASCADE", other));
}

TEST_F(AdoptionTest, SaysHowAColumnOfAnotherTypeBecomesOneThatItTakes) {
  schema->sql(
      "CREATE DOMAIN words AS TEXT; CREATE TABLE inventory (id BIGSERIAL PRIMARY KEY, quantity "
      "BIGINT, description words, created_at TIMESTAMP)");
  EXPECT_THAT(obstacles(), ElementsAre(AllOf(HasSubstr("type words"),
                                             HasSubstr("ALTER COLUMN description TYPE varchar"))));
}

// Ids that were copied in stand before the sequence.
TEST_F(AdoptionTest, MovesTheSequenceBeyondIdsThatWereCopiedIn) {
  const auto adopted = migrated_store();
  schema->sql(
      "INSERT INTO inventory (id, quantity, created_at) SELECT g, 5, now() FROM "
      "generate_series(1, 5000) g; INSERT INTO inventory VALUES (1000000000000, 1, '', "
      "now())");
  const auto added = run(add_items(*adopted, Items{item("m1", 3), item("m2", 3)}));
  ASSERT_TRUE(added) << added.error().what;
  EXPECT_EQ(added->at(0).item.id, 5001);
  EXPECT_EQ(added->at(1).item.id, 5002);
}

TEST_F(AdoptionTest, KnowsTheKeyOfIdsByWhatItIsAndNotByItsName) {
  schema->sql(
      "CREATE TABLE inventory (id SERIAL, quantity INTEGER, description VARCHAR, created_at "
      "TIMESTAMP, CONSTRAINT pk_inventory PRIMARY KEY (id))");
  const auto adopted = migrated_store();
  // Another program gives itself the id that is drawn, and commits when this one has to wait.
  schema->sql("BEGIN; INSERT INTO inventory VALUES (1, 5, '', now())");
  const Items items{item("m1", 3)};
  auto adding = start(add_items(*adopted, items));
  run_until([&] { return schema->waiting() == 1; });
  schema->sql("COMMIT");
  const auto raced = finish(std::move(adding));
  ASSERT_FALSE(raced);
  EXPECT_EQ(raced.error().fault, Fault::retryable) << raced.error().what;
  EXPECT_EQ(run(add_items(*adopted, items))->front().item.id, 2);
}

TEST_F(AdoptionTest, RefusesToServeWhereRowsAreHidden) {
  ASSERT_TRUE(run(add_items(*migrated_store(), Items{item("m1", 5)})));
  const auto role = schema->name() + "_role";
  schema->sql(
      fmt::format("CREATE ROLE {0}; GRANT USAGE ON SCHEMA {1} TO {0};"
                  "GRANT SELECT, INSERT, UPDATE ON inventory, inventory_ledger, "
                  "inventory_item_request TO {0}; GRANT SELECT ON inventory_migration TO {0};"
                  "ALTER TABLE inventory ENABLE ROW LEVEL SECURITY",
                  role, schema->name()));
  const auto limited = store(schema->options("-c role=" + role));
  const auto decided = run(decide_orders(*limited, Orders{order(1, 1, 2)}));
  ASSERT_FALSE(decided);
  EXPECT_EQ(decided.error().fault, Fault::unavailable);
  EXPECT_THAT(decided.error().what, HasSubstr("BYPASSRLS"));
  EXPECT_FALSE(run(limited->ready()));
  schema->sql("ALTER TABLE inventory DISABLE ROW LEVEL SECURITY");
  EXPECT_TRUE(run(limited->ready()));
  EXPECT_EQ(run(decide_orders(*limited, Orders{order(1, 1, 2)})), Decisions{kAccepted});
  schema->sql(fmt::format("DROP OWNED BY {0}; DROP ROLE {0}", role));
}

// Whichever of the tables it is, and though the session has worked with them.
TEST_F(AdoptionTest, IsUnavailableWhereRowsOfATableAreHiddenMeanwhile) {
  ASSERT_TRUE(run(add_items(*migrated_store(), Items{item("m1", 5)})));
  const auto role = schema->name() + "_role";
  schema->sql(
      fmt::format("CREATE ROLE {0}; GRANT USAGE ON SCHEMA {1} TO {0};"
                  "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA {1} TO {0};"
                  "GRANT USAGE ON SEQUENCE inventory_id_seq TO {0}",
                  role, schema->name()));
  const auto limited = store(schema->options("-c role=" + role));
  ASSERT_TRUE(run(add_items(*limited, Items{item("m2", 5)})));
  int id = 0;
  for (const auto* table : {"inventory", "inventory_ledger", "inventory_item_request"}) {
    ASSERT_EQ(run(decide_orders(*limited, Orders{order(++id, 1, 1)})), Decisions{kAccepted});
    schema->sql(fmt::format("ALTER TABLE {} ENABLE ROW LEVEL SECURITY", table));
    const auto added = run(add_items(*limited, Items{item(std::string("in ") + table, 5)}));
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().fault, Fault::unavailable) << added.error().what;
    EXPECT_THAT(added.error().what, AllOf(HasSubstr(table), HasSubstr("BYPASSRLS")));
    EXPECT_FALSE(run(limited->ready()));
    schema->sql(fmt::format("ALTER TABLE {} DISABLE ROW LEVEL SECURITY", table));
    EXPECT_TRUE(run(limited->ready()));
  }
  schema->sql(fmt::format("DROP OWNED BY {0}; DROP ROLE {0}", role));
}

// A role or a database may have other defaults.
TEST_F(AdoptionTest, SetsWhatThePromisesRestOn) {
  std::string defaults =
      "-c synchronous_commit=off -c client_min_messages=error -c row_security=on "
      "-c default_transaction_isolation=serializable -c default_transaction_read_only=on "
      "-c default_transaction_deferrable=on -c standard_conforming_strings=off";
  if (schema->sql("SELECT current_setting('transaction_timeout', true) IS NULL") == "f") {
    defaults += " -c transaction_timeout=60000";
  }
  const auto made = store(schema->options(defaults));
  ASSERT_TRUE(run(made->migrate()));
  schema->sql(
      "CREATE TABLE seen (value TEXT);"
      "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen SELECT "
      "concat_ws(' ', current_setting('synchronous_commit'), current_setting('row_security'), "
      "current_setting('client_min_messages'), current_setting('transaction_isolation'), "
      "coalesce(current_setting('transaction_timeout', true), '0')); RETURN "
      "NULL; END $$; CREATE TRIGGER look AFTER INSERT ON inventory EXECUTE FUNCTION look()");
  ASSERT_TRUE(run(add_items(*made, Items{item("m1", 5)})));
  EXPECT_EQ(schema->sql("SELECT value FROM seen"), "on off warning read committed 0");
}

TEST_F(AdoptionTest, LeavesASynchronousCommitThatPromisesMore) {
  const auto made = store(schema->options("-c synchronous_commit=remote_apply"));
  ASSERT_TRUE(run(made->migrate()));
  schema->sql(
      "CREATE TABLE seen (value TEXT);"
      "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES "
      "(current_setting('synchronous_commit')); RETURN NULL; END $$; CREATE TRIGGER look AFTER "
      "INSERT ON inventory EXECUTE FUNCTION look()");
  ASSERT_TRUE(run(add_items(*made, Items{item("m1", 5)})));
  EXPECT_EQ(schema->sql("SELECT value FROM seen"), "remote_apply");
}

TEST_F(AdoptionTest, ReadsADateWithoutATimeOfDay) {
  schema->sql(
      "CREATE TABLE inventory (id BIGSERIAL PRIMARY KEY, quantity BIGINT, description TEXT, "
      "created_at DATE); INSERT INTO inventory VALUES (1, 1, '', 'infinity'), (2, 1, '', "
      "'2026-11-23'), (3, 1, '', '5874897-12-31')");
  const auto migrated = run(store(schema->options())->migrate());
  ASSERT_TRUE(migrated) << migrated.error().what;
  const auto reader = schema->open_reader();
  ASSERT_TRUE(reader->begin());
  const auto items = reader->items(0, 10, 1'000);
  ASSERT_TRUE(items) << items.error().what;
  EXPECT_TRUE(items->at(0).has_odd_time);
  EXPECT_TRUE(items->at(1).created_at);
  EXPECT_TRUE(items->at(2).has_odd_time);
}

TEST_F(AdoptionTest, ReadsATimeThatIsNoneAsNothingAndSaysSo) {
  migrated_store();
  schema->sql(
      "INSERT INTO inventory (quantity, created_at) VALUES (1, 'infinity'), (2, '-infinity'), "
      "(3, '10000-01-01'), (4, '0001-01-01 BC'), (5, '9999-12-31 23:59:59.999999'), "
      "(6, '0001-01-01')");
  const auto reader = schema->open_reader();
  ASSERT_TRUE(reader->begin());
  const auto items = reader->items(0, 10, 1'000);
  ASSERT_TRUE(items);
  ASSERT_EQ(items->size(), 6U);
  for (std::size_t i = 0; i < items->size(); ++i) {
    EXPECT_EQ(items->at(i).has_odd_time, i < 4) << i;
    EXPECT_EQ(items->at(i).created_at.has_value(), i >= 4) << i;
  }
}

}  // namespace
}  // namespace inventory::store::postgres
