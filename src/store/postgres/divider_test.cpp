// Moving an undivided stock into partitions: what each state of a partition leads to.

#include "store/postgres/divider.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/postgres/testing/own_database.h"
#include "store/postgres/testing/store_fixture.h"

namespace inventory::store::postgres {
namespace {

using testing::HasSubstr;

constexpr domain::Partition kOddOne{.number = 1, .count = 2};
constexpr const char* kOddSchema = "inventory_1";

// An undivided stock of two products, 2 and 3, and a partition made before it.
class DividerTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (!schema) return;
    database = std::make_unique<OwnDatabase>(*schema);
    make(database->options({.partition = kOddOne}));
    make(database->options("-c search_path=public"));
    database->sql(
        "INSERT INTO inventory (id, quantity, created_at) VALUES (2, 20, now()), (3, 30, now())");
    divider = make_divider(database->options(), kOddOne.count);
    const auto connected = divider->connect();
    ASSERT_TRUE(connected) << connected.error().what;
  }

  void TearDown() override {
    divider.reset();
    database.reset();
  }

  void make(const PostgresOptions& options) {
    const auto made = run(store(options)->migrate());
    ASSERT_TRUE(made) << made.error().what;
  }

  Result<PartitionState> look() { return divider->look(kOddSchema, kOddOne); }

  std::string mark() const {
    return database->sql("SELECT name FROM inventory_1.inventory_migration WHERE version = 0");
  }

  std::unique_ptr<OwnDatabase> database;
  std::unique_ptr<Divider> divider;
};

TEST_F(DividerTest, TakesAnEmptyPartitionAndFillsIt) {
  EXPECT_EQ(divider->look("inventory_0", {.number = 0, .count = 2}), PartitionState::missing);
  EXPECT_EQ(look(), PartitionState::empty);
  ASSERT_TRUE(divider->take(kOddSchema, kOddOne));
  EXPECT_EQ(mark(), "partition 1/2, being filled");
  EXPECT_EQ(look(), PartitionState::being_filled);
  ASSERT_TRUE(divider->retire());
  EXPECT_EQ(look(), PartitionState::being_filled);
  const auto filled = divider->fill(kOddSchema, kOddOne);
  ASSERT_TRUE(filled) << filled.error().what;
  EXPECT_EQ(filled->items, 1U);
  EXPECT_EQ(look(), PartitionState::filled);
  EXPECT_FALSE(divider->fill(kOddSchema, kOddOne)->is_new);
  EXPECT_EQ(database->sql("SELECT quantity FROM inventory_1.inventory"), "30");
}

TEST_F(DividerTest, TakesAPartitionWhoseTablesWereNotAllMade) {
  database->sql("DROP TABLE inventory_1.inventory_hold");
  EXPECT_EQ(look(), PartitionState::empty);
}

TEST_F(DividerTest, RefusesAPartitionWithARowInAnyTable) {
  for (const char* row : {"inventory (id, quantity, created_at) VALUES (1, 1, now())",
                          "inventory_ledger (product_id, identity, outcome, quantity, delta) "
                          "VALUES (1, 'i1', 'accepted', 1, -1)",
                          "inventory_item_request (identity, product_id, quantity, created_at) "
                          "VALUES ('m1', 1, 1, now())",
                          "inventory_hold (product_id, identity, quantity, expires_at) "
                          "VALUES (1, 'i1', 1, now())"}) {
    database->sql(fmt::format("INSERT INTO inventory_1.{}", row));
    for (const auto& error : {look().error(), divider->take(kOddSchema, kOddOne).error()}) {
      EXPECT_EQ(error.fault, Fault::unavailable);
      EXPECT_THAT(error.what, HasSubstr("schema inventory_1: partition 1 of 2 was used already"));
      EXPECT_THAT(error.what, HasSubstr("DROP SCHEMA inventory_1 CASCADE"));
    }
    EXPECT_EQ(mark(), "partition 1/2");
    database->sql(
        "TRUNCATE inventory_1.inventory, inventory_1.inventory_ledger, "
        "inventory_1.inventory_item_request, inventory_1.inventory_hold");
  }
}

TEST_F(DividerTest, DoesNotTakeWhatSomebodyUses) {
  database->sql("BEGIN; LOCK TABLE inventory_1.inventory IN ROW EXCLUSIVE MODE");
  auto options = database->options();
  options.migrate_lock_timeout = std::chrono::milliseconds(50);
  const auto hasty = make_divider(options, 2);
  ASSERT_TRUE(hasty->connect());
  const auto taken = hasty->take(kOddSchema, kOddOne);
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().what, HasSubstr("lock timeout"));
  database->sql("ROLLBACK");
  EXPECT_EQ(mark(), "partition 1/2");
  EXPECT_TRUE(hasty->take(kOddSchema, kOddOne));
}

TEST_F(DividerTest, MergesNothingWithRowsThatCameMeanwhile) {
  ASSERT_TRUE(divider->take(kOddSchema, kOddOne));
  ASSERT_TRUE(divider->retire());
  database->sql(
      "INSERT INTO inventory_1.inventory (id, quantity, created_at) VALUES (1, 1, now())");
  const auto filled = divider->fill(kOddSchema, kOddOne);
  ASSERT_FALSE(filled);
  EXPECT_EQ(filled.error().fault, Fault::unavailable);
  EXPECT_THAT(filled.error().what, HasSubstr("partition 1 of 2 was used already"));
  EXPECT_EQ(mark(), "partition 1/2, being filled");
  EXPECT_EQ(database->sql("SELECT count(*) FROM inventory_1.inventory"), "1");
  // As the text says.
  database->sql("DROP SCHEMA inventory_1 CASCADE");
  EXPECT_EQ(look(), PartitionState::missing);
  make(database->options({.partition = kOddOne, .is_being_filled = true}));
  EXPECT_EQ(divider->fill(kOddSchema, kOddOne)->items, 1U);
}

TEST_F(DividerTest, FillsNothingThatIsNotMarked) {
  EXPECT_FALSE(divider->fill(kOddSchema, kOddOne));
  EXPECT_FALSE(divider->fill("inventory_0", {.number = 0, .count = 2}));
}

TEST_F(DividerTest, AfterTheMoveAPartitionWithoutTheMarkHasItsRows) {
  ASSERT_TRUE(divider->retire());
  EXPECT_EQ(look(), PartitionState::filled);
}

TEST_F(DividerTest, RefusesTablesOfAnotherOwner) {
  EXPECT_THAT(divider->look(kOddSchema, {.number = 1, .count = 4}).error().what,
              HasSubstr("schema inventory_1: the tables are those of partition 1/2"));
  EXPECT_THAT(divider->look("public", kOddOne).error().what,
              HasSubstr("those of an undivided stock"));
}

TEST_F(DividerTest, AStockIsMovedIntoOneNumberOfPartitions) {
  ASSERT_TRUE(divider->retire());
  const auto other = make_divider(database->options(), 4)->connect();
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().what, HasSubstr("the stock was moved into 2 partitions, not into 4"));
  EXPECT_TRUE(divider->retire());
}

}  // namespace
}  // namespace inventory::store::postgres
