// What a caller of Store::migrate() and Store::ready() relies on, whichever the adapter.

#include <algorithm>

#include <gmock/gmock.h>

#include "store/testing/conformance.h"

namespace inventory::store::conformance {
namespace {

using testing::HasSubstr;

// Text that both databases read as a time.
void insert_rows(TestDatabase& database, const std::string& rows) {
  database.execute("INSERT INTO inventory (id, quantity, description, created_at) VALUES " + rows);
}

TEST_P(Conformance, HasNothingToMigrateTheSecondTime) {
  const auto first = run(store_->migrate());
  ASSERT_TRUE(first) << first.error().what;
  EXPECT_GE(*first, 1);
  EXPECT_EQ(run(store_->migrate()).value_or(-1), 0);
  reopen();
  EXPECT_EQ(run(store_->migrate()).value_or(-1), 0);
}

TEST_P(Conformance, IsReadyAfterItWasMigrated) {
  migrate();
  EXPECT_TRUE(run(store_->ready()));
  reopen();
  EXPECT_TRUE(run(store_->ready()));
}

TEST_P(Conformance, SaysToMigrateWhereNobodyHas) {
  const auto ready = run(store_->ready());
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().fault, Fault::unavailable);
  EXPECT_THAT(ready.error().what, HasSubstr("migrate"));

  const std::vector orders{order(1, 1, 1)};
  EXPECT_FALSE(run(decide_orders(*store_, orders)));
  const std::vector<domain::NewItem> items{{std::nullopt, 1, std::nullopt, {}}};
  EXPECT_FALSE(run(add_items(*store_, items)));

  migrate();
  EXPECT_TRUE(run(store_->ready()));
  EXPECT_EQ(decide(orders), OrderDecisions{kNotFound});
}

TEST_P(Conformance, AppliesEachMigrationOnceWhenSeveralInstancesMigrateTogether) {
  const int missing = run(store_->plan_migration()).value().missing;
  std::vector<std::unique_ptr<Store>> stores;
  std::vector<std::future<Result<int>>> calls;
  for (int i = 0; i < 4; ++i) {
    stores.push_back(open());
    calls.push_back(start(stores.back()->migrate()));
  }
  int applied_in_all = 0;
  for (auto& call : calls) {
    const auto applied = finish(call);
    if (GetParam().several_instances) {
      EXPECT_TRUE(applied) << applied.error().what;
    } else if (!applied) {
      EXPECT_THAT(applied.error().what, HasSubstr("another instance"));
    }
    applied_in_all += applied.value_or(0);
  }
  EXPECT_EQ(applied_in_all, missing);
  stores.clear();
  EXPECT_TRUE(run(store_->ready()));
}

TEST_P(Conformance, AdoptsTheTableOfThePythonServiceWithItsRowsAndIds) {
  database_->make_python_table();
  insert_rows(*database_,
              "(3, 10, 'a shirt', '2021-03-15 12:05:57.105542'), (70, 0, NULL, "
              "'2021-03-15 12:05:57')");
  migrate();
  EXPECT_EQ(database_->on_hand(3), 10);
  EXPECT_EQ(database_->ledger_sum(3), 10);
  EXPECT_EQ(database_->on_hand(70), 0);
  EXPECT_EQ(database_->ledger_sum(70), 0);
  EXPECT_EQ(decide({order(1, 3, 4), order(1, 70, 1), order(1, 4, 1)}),
            (OrderDecisions{kAccepted, kNotEnough, kNotFound}));
  EXPECT_EQ(database_->ledger_sum(3), 6);
  EXPECT_GT(product(1), 70);
}

TEST_P(Conformance, AdoptsAnEmptyTableOfThePythonService) {
  database_->make_python_table();
  migrate();
  const auto shirt = product(2);
  EXPECT_EQ(decide({order(1, shirt, 2)}), OrderDecisions{kAccepted});
}

TEST_P(Conformance, AdoptsNoQuantityThatIsNoStockAndChangesNothing) {
  database_->make_python_table();
  insert_rows(*database_,
              "(3, 10, NULL, '2021-03-15 12:05:57'), (5, -1, NULL, '2021-03-15 12:05:57'), "
              "(6, NULL, NULL, '2021-03-15 12:05:57')");
  const auto applied = run(store_->migrate());
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().fault, Fault::refused);
  EXPECT_THAT(applied.error().what, HasSubstr("2 "));
  EXPECT_THAT(applied.error().what, HasSubstr("5"));
  EXPECT_EQ(database_->on_hand(5), -1);

  // Once a person has corrected them, the same store adopts the table.
  database_->execute("UPDATE inventory SET quantity = 0 WHERE id IN (5, 6)");
  migrate();
  EXPECT_EQ(database_->on_hand(3), 10);
  EXPECT_EQ(database_->ledger_sum(3), 10);
}

TEST_P(Conformance, RefusesASchemaThatIsNewerThanTheProgram) {
  migrate();
  store_.reset();
  database_->execute(
      "INSERT INTO inventory_migration (version, name, applied_at) "
      "VALUES (999, 'from the future', '2030-01-01 00:00:00')");
  store_ = open();
  const auto ready = run(store_->ready());
  ASSERT_FALSE(ready);
  EXPECT_THAT(ready.error().what, HasSubstr("999"));
  const auto applied = run(store_->migrate());
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().fault, Fault::unavailable);
  EXPECT_THAT(applied.error().what, HasSubstr("newer"));
}

}  // namespace
}  // namespace inventory::store::conformance
