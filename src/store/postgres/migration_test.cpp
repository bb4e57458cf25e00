// The schema's versions, and the adoption of the Python service's table.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/postgres/schema.h"
#include "store/postgres/testing/store_fixture.h"

namespace inventory::store::postgres {
namespace {

using testing::HasSubstr;

// As SQLModel creates it.
constexpr const char* kPythonTable =
    "CREATE TABLE inventory (id SERIAL NOT NULL, quantity INTEGER NOT NULL, description VARCHAR, "
    "created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, PRIMARY KEY (id));";

constexpr const char* kSumsAreQuantities =
    "SELECT bool_and(i.quantity = (SELECT sum(delta) FROM inventory_ledger WHERE product_id = "
    "i.id)) FROM inventory i";

class MigrationTest : public StoreTest {
 protected:
  std::string column_type(const std::string& column) {
    return schema->sql(
        fmt::format("SELECT data_type FROM information_schema.columns WHERE table_name = "
                    "'inventory' AND column_name = '{}' AND table_schema = current_schema()",
                    column));
  }
};

TEST_F(MigrationTest, MakesAnEmptyDatabaseReadyAndThenHasNothingToDo) {
  const auto made = store(schema->options());
  EXPECT_EQ(run(made->ready()).error().fault, Fault::unavailable);
  EXPECT_EQ(run(made->migrate()), 2);
  EXPECT_EQ(run(made->migrate()), 0);
  EXPECT_TRUE(run(made->ready()));
}

TEST_F(MigrationTest, IsAppliedOnceBySeveralInstancesThatStartTogether) {
  std::vector<std::unique_ptr<Store>> stores;
  std::vector<std::future<Result<int>>> started;
  for (int i = 0; i < 5; ++i) {
    stores.push_back(store(schema->options()));
    started.push_back(start(stores.back()->migrate()));
  }
  int applied = 0;
  for (auto& future : started) {
    const auto result = finish(std::move(future));
    ASSERT_TRUE(result) << result.error().what;
    applied += *result;
  }
  EXPECT_EQ(applied, 2);
}

TEST_F(MigrationTest, AdoptsTheTableThatThePythonServiceLeft) {
  schema->sql(std::string(kPythonTable) +
              "INSERT INTO inventory (quantity, description, created_at) VALUES "
              "(5, 'a shirt', '2025-01-02 03:04:05.678901'), (0, NULL, now());"
              "INSERT INTO inventory VALUES (9, 7, 'beyond the sequence', now())");
  const auto adopted = store(schema->options());
  ASSERT_EQ(run(adopted->migrate()), 2);

  EXPECT_EQ(column_type("id"), "bigint");
  EXPECT_EQ(column_type("quantity"), "bigint");
  EXPECT_EQ(schema->sql("SELECT created_at || description FROM inventory WHERE id = 1"),
            "2025-01-02 03:04:05.678901a shirt");
  EXPECT_EQ(schema->sql("SELECT count(*) FROM inventory_ledger WHERE outcome = 'opening'"), "3");
  EXPECT_EQ(schema->sql("SELECT data_type FROM pg_sequences WHERE schemaname = current_schema()"),
            "bigint");
  EXPECT_ANY_THROW(schema->sql("UPDATE inventory SET quantity = -1 WHERE id = 1"));

  EXPECT_EQ(run(decide_orders(*adopted, Orders{order(1, 1, 5), order(2, 2, 1)})),
            (Decisions{kAccepted, kNotEnough}));
  const auto added = run(add_items(*adopted, Items{item({}, 3'000'000'000)}));
  ASSERT_TRUE(added) << added.error().what;
  EXPECT_EQ(added->front().item.id, 10);
  EXPECT_EQ(schema->sql(kSumsAreQuantities), "t");
}

TEST_F(MigrationTest, GivesAnAdoptedTableTheKeyAndTheSequenceThatItLacks) {
  schema->sql(
      "CREATE TABLE inventory (id INTEGER NOT NULL, quantity INTEGER, description VARCHAR(20), "
      "created_at TIMESTAMP); INSERT INTO inventory VALUES (4, 2, 'x', NULL)");
  const auto adopted = store(schema->options());
  const auto applied = run(adopted->migrate());
  ASSERT_TRUE(applied) << applied.error().what;
  auto request = item({}, 1);
  request.description = std::string(10'000, 'x');
  EXPECT_EQ(run(add_items(*adopted, Items{request}))->front().item.id, 5);
  EXPECT_ANY_THROW(schema->sql("INSERT INTO inventory VALUES (4, 1, '', now())"));
}

TEST_F(MigrationTest, LeavesATableAsItIsIfAQuantityIsNegativeOrMissing) {
  schema->sql(
      "CREATE TABLE inventory (id SERIAL PRIMARY KEY, quantity INTEGER, description VARCHAR, "
      "created_at TIMESTAMP); INSERT INTO inventory (quantity) VALUES (1), (-1), (NULL)");
  const auto adopted = store(schema->options());
  const auto applied = run(adopted->migrate());
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().fault, Fault::refused);
  EXPECT_THAT(applied.error().what, HasSubstr("2 of its rows"));
  EXPECT_THAT(applied.error().what, HasSubstr("the first has id 2"));
  EXPECT_EQ(column_type("id"), "integer");
  EXPECT_EQ(schema->sql("SELECT to_regclass('inventory_ledger') IS NULL"), "t");

  schema->sql("UPDATE inventory SET quantity = 0 WHERE id > 1");
  EXPECT_EQ(run(adopted->migrate()), 2);
}

TEST_F(MigrationTest, GivesUpAfterTheLockTimeoutWhereATableIsInUse) {
  schema->sql(std::string(kPythonTable) + "BEGIN; LOCK TABLE inventory IN ROW EXCLUSIVE MODE");
  auto options = schema->options();
  options.lock_timeout = std::chrono::milliseconds(50);
  const auto adopted = store(options);
  const auto applied = run(adopted->migrate());
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().fault, Fault::retryable);
  schema->sql("ROLLBACK");
  EXPECT_EQ(run(adopted->migrate()), 2);
}

TEST_F(MigrationTest, RefusesASchemaThatIsNewerThanTheProgram) {
  const auto made = migrated_store();
  schema->sql("INSERT INTO inventory_migration (version, name) VALUES (99, 'from the future')");
  const auto applied = run(made->migrate());
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().fault, Fault::unavailable);
  EXPECT_THAT(applied.error().what, HasSubstr("version 99"));
  const auto ready = run(made->ready());
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().fault, Fault::unavailable);
}

TEST_F(MigrationTest, GoesOnWithASchemaThatIsNewerWhereOlderProgramsMay) {
  const auto made = migrated_store();
  schema->sql("INSERT INTO inventory_migration (version, name) VALUES (-99, 'x_beside_older')");
  EXPECT_TRUE(run(made->ready()));
  EXPECT_EQ(run(made->migrate()), 0);
}

TEST_F(MigrationTest, LetsARoleServeThatMayOnlyReadAndWriteRows) {
  ASSERT_TRUE(run(add_items(*migrated_store(), Items{item("m1", 5)})));
  const auto role = schema->name() + "_role";
  schema->sql(
      fmt::format("CREATE ROLE {0}; GRANT USAGE ON SCHEMA {1} TO {0};"
                  "GRANT SELECT, INSERT, UPDATE ON inventory, inventory_ledger, "
                  "inventory_item_request TO {0}; GRANT SELECT ON inventory_migration TO "
                  "{0}; GRANT USAGE ON SEQUENCE inventory_id_seq TO {0}",
                  role, schema->name()));
  const auto limited = store(schema->options("-c role=" + role));
  EXPECT_EQ(run(limited->migrate()), 0);
  EXPECT_TRUE(run(limited->ready()));
  EXPECT_EQ(run(decide_orders(*limited, Orders{order(1, 1, 2), order(1, 2, 2)})),
            (Decisions{kAccepted, kNotFound}));
  EXPECT_TRUE(run(add_items(*limited, Items{item("m1", 5), item("m2", 5)})));
  schema->sql(fmt::format("DROP OWNED BY {0}; DROP ROLE {0}", role));
}

// As a program of version 1 left it, with an item that was ordered.
void make_version_one(PostgresTestDatabase& schema) {
  schema.sql(std::string(migrations().front().sql));
  schema.sql(
      "CREATE TABLE inventory_migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, "
      "applied_at TIMESTAMPTZ NOT NULL DEFAULT now());"
      "INSERT INTO inventory_migration (version, name) VALUES (1, 'inventory');"
      "INSERT INTO inventory (quantity, created_at) VALUES (3, now());"
      "INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta) VALUES "
      "(1, 'opening', 'opening', 5, 5), (1, 'i7', 'accepted', 2, -2);"
      "INSERT INTO inventory_item_request VALUES ('m1', 1, 5, 'a shirt', now())");
}

TEST_F(MigrationTest, BringsVersionOneUpToDateBesideItsInstancesAndRewritesNothing) {
  make_version_one(*schema);
  const std::string kFiles =
      "SELECT string_agg(relfilenode::text, ' ' ORDER BY relname) FROM pg_class WHERE oid IN "
      "('inventory'::regclass, 'inventory_ledger'::regclass, 'inventory_item_request'::regclass)";
  const auto files = schema->sql(kFiles);
  const auto migrated = store(schema->options());
  EXPECT_EQ(run(migrated->plan_migration())->missing, 1);
  EXPECT_EQ(run(migrated->migrate()), 1);
  EXPECT_EQ(schema->sql(kFiles), files);
  // What a program of version 1 asks, and how it writes.
  EXPECT_EQ(schema->sql("SELECT max(version) FROM inventory_migration"), "1");
  schema->sql(
      "UPDATE inventory SET quantity = 2; INSERT INTO inventory_ledger (product_id, identity, "
      "outcome, quantity, delta) VALUES (1, 'i8', 'accepted', 1, -1), "
      "(1, 'i9', 'not_enough_stock', 9, 0)");
  EXPECT_EQ(run(decide_orders(*migrated, Orders{order(7, 1, 2), order(8, 1, 1), order(9, 1, 9),
                                                order(10, 1, 2)})),
            (Decisions{replay(kAccepted), replay(kAccepted), replay(kNotEnough), kAccepted}));
  EXPECT_EQ(schema->sql(kSumsAreQuantities), "t");
  EXPECT_EQ(run(migrated->migrate()), 0);
  EXPECT_TRUE(run(migrated->ready()));
}

constexpr const char* kHasIndexByTime =
    "SELECT to_regclass('inventory_ledger_decided_at') IS NOT NULL";

TEST_F(MigrationTest, BuildsTheIndexByTimeOfASmallLedger) {
  make_version_one(*schema);
  ASSERT_EQ(run(store(schema->options())->migrate()), 1);
  EXPECT_EQ(schema->sql(kHasIndexByTime), "t");
}

TEST_F(MigrationTest, TakesAnIndexByTimeThatItsOwnerHasBuiltBefore) {
  make_version_one(*schema);
  schema->sql(
      "CREATE INDEX inventory_ledger_decided_at ON inventory_ledger ((product_id + 0), "
      "decided_at)");
  const auto migrated = store(schema->options());
  EXPECT_TRUE(run(migrated->plan_migration())->obstacles.empty());
  EXPECT_EQ(run(migrated->migrate()), 1);
}

TEST_F(MigrationTest, LeavesTheIndexByTimeOfALargeLedgerToItsOwner) {
  make_version_one(*schema);
  schema->sql(
      "INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta) "
      "SELECT 1, rpad('s' || n, 1900, 'x'), 'not_enough_stock', 9, 0 "
      "FROM generate_series(1, 20000) AS n");
  const auto migrated = store(schema->options());
  ASSERT_EQ(run(migrated->migrate()), 1);
  EXPECT_EQ(schema->sql(kHasIndexByTime), "f");
  EXPECT_EQ(run(decide_orders(*migrated, Orders{order(10, 1, 2)})), Decisions{kAccepted});
  const auto reader = schema->open_reader();
  ASSERT_TRUE(reader->begin());
  const auto entries = reader->entries(1, {}, 2);
  ASSERT_TRUE(entries) << entries.error().what;
  EXPECT_EQ(entries->front().identity, "i10");
}

TEST_F(MigrationTest, GivesWayToWhoUsesATableAndComesBack) {
  make_version_one(*schema);
  schema->sql("BEGIN; LOCK TABLE inventory_ledger IN ROW EXCLUSIVE MODE");
  const auto migrated = store(schema->options());
  auto migrating = start(migrated->migrate());
  // It has asked for the lock, has given up, and has asked again.
  for (int i = 0; i < 2; ++i) {
    run_until([&] { return schema->waiting() == 1; });
    run_until([&] { return schema->waiting() == 0; });
  }
  schema->sql("COMMIT");
  EXPECT_EQ(finish(std::move(migrating)), 1);
}

TEST_F(MigrationTest, SaysWhatHasANameThatAnUpgradeGives) {
  make_version_one(*schema);
  schema->sql("CREATE INDEX inventory_hold_expires_at ON inventory (quantity)");
  const auto plan = run(store(schema->options())->plan_migration());
  ASSERT_TRUE(plan) << plan.error().what;
  ASSERT_EQ(plan->obstacles.size(), 1U);
  EXPECT_THAT(plan->obstacles.front(),
              HasSubstr("index inventory_hold_expires_at is there already"));
}

TEST_F(MigrationTest, SaysWhatPostgresqlRefusesOfAnUpgrade) {
  make_version_one(*schema);
  schema->sql(
      "CREATE VIEW products AS SELECT DISTINCT product_id FROM inventory_item_request;"
      "ALTER TABLE inventory_item_request DROP CONSTRAINT inventory_item_request_pkey, "
      "ADD PRIMARY KEY (identity, product_id)");
  const auto plan = run(store(schema->options())->plan_migration());
  ASSERT_TRUE(plan) << plan.error().what;
  ASSERT_EQ(plan->obstacles.size(), 1U);
  EXPECT_THAT(plan->obstacles.front(), HasSubstr("\"product_id\" is in a primary key"));
}

TEST_F(MigrationTest, SaysWhichColumnIsInTheWay) {
  make_version_one(*schema);
  schema->sql("ALTER TABLE inventory ADD COLUMN version TEXT");
  const auto plan = run(store(schema->options())->plan_migration());
  ASSERT_TRUE(plan) << plan.error().what;
  ASSERT_EQ(plan->obstacles.size(), 1U);
  EXPECT_THAT(plan->obstacles.front(), HasSubstr("column version is there already"));
}

}  // namespace
}  // namespace inventory::store::postgres
