// Tables are not made beside others of the same database that contradict them.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/postgres/testing/own_database.h"
#include "store/postgres/testing/store_fixture.h"

namespace inventory::store::postgres {
namespace {

using domain::Partition;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class NeighboursTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (schema) database = std::make_unique<OwnDatabase>(*schema);
  }

  static TablesOwner partition(std::uint32_t number, std::uint32_t count) {
    return {.partition = Partition{.number = number, .count = count}};
  }

  void make(const PostgresOptions& options) {
    const auto made = run(store(options)->migrate());
    ASSERT_TRUE(made) << made.error().what;
  }

  // The plan has this obstacle, migrate() fails with it, and no schema and no table is made.
  void expect_refused(const PostgresOptions& options, const std::string& why) {
    const auto before = everything();
    const auto refused = store(options);
    const auto plan = run(refused->plan_migration());
    ASSERT_TRUE(plan) << plan.error().what;
    EXPECT_THAT(plan->obstacles, ElementsAre(why));
    const auto made = run(refused->migrate());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().fault, Fault::unavailable);
    EXPECT_THAT(made.error().what, HasSubstr(why));
    EXPECT_EQ(everything(), before);
  }

  void expect_made(const PostgresOptions& options) {
    const auto plan = run(store(options)->plan_migration());
    ASSERT_TRUE(plan) << plan.error().what;
    EXPECT_EQ(plan->tables, MigrationPlan::Origin::made);
    EXPECT_THAT(plan->obstacles, IsEmpty());
    make(options);
  }

  std::string everything() const {
    return database->sql(
        "SELECT string_agg(coalesce(nspname || '.' || relname, nspname), ' ' ORDER BY nspname, "
        "relname) FROM pg_namespace n LEFT JOIN pg_class ON relnamespace = n.oid WHERE nspname "
        "NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'");
  }

  std::unique_ptr<OwnDatabase> database;
};

constexpr const char* kNoUndivided =
    "the database has partitions (schema inventory_2: partition 2/4), and no undivided stock where "
    "search_path leads: --partition says which is meant";

TEST_F(NeighboursTest, AnUndividedStockIsNotMadeBesidePartitions) {
  make(database->options(partition(10, 16)));
  database->sql(
      "DROP SCHEMA inventory_10 CASCADE; CREATE SCHEMA inventory_1; CREATE TABLE "
      "inventory_1.inventory_migration (other INTEGER); CREATE SCHEMA inventory_x");
  make(database->options(partition(2, 4)));
  make(database->options(partition(3, 4)));
  expect_refused(database->options(), kNoUndivided);
  // The server's setting names no schema for this client.
  database->sql(
      fmt::format("CREATE SCHEMA shop; ALTER DATABASE {} SET search_path = shop", schema->name()));
  expect_refused(database->options(), kNoUndivided);
}

TEST_F(NeighboursTest, AClientThatNamesASchemaGetsAnUndividedStockBesidePartitions) {
  make(database->options(partition(2, 4)));
  expect_made(database->options("-c search_path=public"));
  // It is there now.
  EXPECT_EQ(run(store(database->options())->migrate()), 0);
}

TEST_F(NeighboursTest, ATableIsAdoptedBesidePartitions) {
  make(database->options(partition(2, 4)));
  database->sql(
      "CREATE TABLE inventory (id SERIAL PRIMARY KEY, quantity INTEGER, description VARCHAR, "
      "created_at TIMESTAMP)");
  EXPECT_EQ(run(store(database->options())->migrate()), 2);
}

TEST_F(NeighboursTest, PartitionsAreNotMadeBesideAnUndividedStock) {
  make(database->options());
  const std::string why =
      "schema public has an undivided stock that was not moved: run inventory-service migrate "
      "--partition all/4 --from-undivided";
  expect_refused(database->options(partition(3, 4)), why);
  database->sql("CREATE SCHEMA inventory_3");
  expect_refused(database->options(partition(3, 4)), why);
  // Unless they get its rows.
  TablesOwner filled = partition(3, 4);
  filled.is_being_filled = true;
  expect_made(database->options(filled));
  // Or it was moved.
  database->sql(
      "INSERT INTO inventory_migration (version, name) VALUES (0, 'moved into 4 partitions')");
  expect_made(database->options(partition(2, 4)));
}

TEST_F(NeighboursTest, PartitionsAreNotMadeBesideThoseOfAnotherCount) {
  make(database->options(partition(0, 4)));
  const std::string why = "the database has 4 partitions (schema inventory_0), not 8";
  expect_refused(database->options(partition(5, 8)), why);
  TablesOwner filled = partition(5, 8);
  filled.is_being_filled = true;
  expect_refused(database->options(filled), why);
  database->sql(
      "UPDATE inventory_0.inventory_migration SET name = name || ', being filled' "
      "WHERE version = 0");
  expect_refused(database->options(partition(5, 8)), why);
  expect_made(database->options(partition(3, 4)));
}

TEST_F(NeighboursTest, ARoleThatMayNotReadTheOthersGetsNoError) {
  make(database->options(partition(0, 4)));
  const auto role = schema->name() + "_role";
  database->sql(
      fmt::format("CREATE ROLE {0}; CREATE SCHEMA inventory_5 AUTHORIZATION {0}; GRANT "
                  "CREATE ON SCHEMA public TO {0}",
                  role));
  expect_made(database->options(partition(5, 8), "-c role=" + role));
  database->sql("DROP SCHEMA inventory_5 CASCADE; GRANT USAGE ON SCHEMA inventory_0 TO " + role);
  expect_made(database->options("-c role=" + role));
  database->sql(fmt::format("DROP OWNED BY {0}; DROP ROLE {0}", role));
}

TEST_F(NeighboursTest, OfThoseWhoStartTogetherOneKindIsMade) {
  const auto undivided = store(database->options());
  std::vector<std::unique_ptr<Store>> partitions;
  std::vector<std::future<Result<int>>> started;
  for (std::uint32_t number = 0; number < 4; ++number) {
    partitions.push_back(store(database->options(partition(number, 4))));
    started.push_back(start(partitions.back()->migrate()));
  }
  const bool is_undivided = finish(start(undivided->migrate())).has_value();
  for (auto& future : started) EXPECT_NE(finish(std::move(future)).has_value(), is_undivided);
}

}  // namespace
}  // namespace inventory::store::postgres
