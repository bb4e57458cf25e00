// What partitions rely on, whichever the adapter: ids of their own, and tables that know whose they
// are.

#include <set>

#include <gmock/gmock.h>

#include "store/testing/conformance.h"

namespace inventory::store::conformance {
namespace {

using domain::Partition;
using ::testing::HasSubstr;

TablesOwner third_of(std::uint32_t count) {
  return {.partition = Partition{.number = 3, .count = count}};
}

TEST_P(Conformance, APartitionGivesIdsOfItsOwn) {
  for (const std::uint32_t number : {0U, 3U}) {
    database_ = GetParam().make_database();
    const Partition partition{.number = number, .count = 4};
    reopen_as({.partition = partition});
    migrate();
    std::set<domain::ProductId> ids;
    const auto take = [&](const domain::Item& item) {
      EXPECT_TRUE(partition.holds(item.id)) << item.id;
      EXPECT_GE(item.id, 1);
      EXPECT_TRUE(ids.insert(item.id).second) << item.id;
    };
    for (const auto& decision : add({{{}, 1, {}, {}}, {{}, 1, {}, {}}})) take(decision.item);
    EXPECT_EQ(*ids.begin(), number == 0 ? 4 : 3);
    // Beyond a chosen one, and beyond those that were copied in.
    const domain::ProductId chosen = 1'000 + number;
    for (const auto& decision : add({{.identity = {},
                                      .quantity = 1,
                                      .description = {},
                                      .created_at = {},
                                      .chosen_id = chosen}})) {
      take(decision.item);
    }
    take(add({{{}, 1, {}, {}}}).at(0).item);
    EXPECT_GT(*ids.rbegin(), chosen);
    database_->execute("INSERT INTO inventory (id, quantity, created_at) VALUES (" +
                       std::to_string(*ids.rbegin() + 4) + ", 1, '2026-11-30 00:00:00')");
    ids.insert(*ids.rbegin() + 4);
    for (const auto& decision : add({{{}, 1, {}, {}}, {{}, 1, {}, {}}, {{}, 1, {}, {}}})) {
      take(decision.item);
    }
  }
}

TEST_P(Conformance, TablesOfAPartitionAreNoneOfAnother) {
  reopen_as(third_of(4));
  migrate();
  EXPECT_TRUE(run(store_->ready()));
  EXPECT_EQ(run(store_->migrate()), 0);
  for (const TablesOwner& other :
       {TablesOwner{}, third_of(8), TablesOwner{.partition = Partition{.number = 2, .count = 4}}}) {
    reopen_as(other);
    for (const auto& error : {run(store_->plan_migration()).error(), run(store_->migrate()).error(),
                              run(store_->ready()).error()}) {
      EXPECT_EQ(error.fault, Fault::unavailable);
      EXPECT_THAT(error.what, HasSubstr("the tables are those of partition 3/4, not of "));
    }
  }
}

TEST_P(Conformance, UndividedTablesAreThoseOfNoPartition) {
  migrate();
  reopen_as(third_of(4));
  for (const auto& error : {run(store_->plan_migration()).error(), run(store_->migrate()).error(),
                            run(store_->ready()).error()}) {
    EXPECT_EQ(error.fault, Fault::unavailable);
    EXPECT_THAT(error.what, HasSubstr("those of an undivided stock, not of partition 3 of 4"));
  }
}

TEST_P(Conformance, APartitionIsNotUsedUntilItIsFilled) {
  reopen_as({.partition = Partition{.number = 3, .count = 4}, .is_being_filled = true});
  migrate();
  reopen_as(third_of(4));
  EXPECT_THAT(run(store_->ready()).error().what,
              HasSubstr("migrate --from-undivided has not finished"));
}

TEST_P(Conformance, APartitionAdoptsNoTable) {
  database_->make_python_table();
  reopen_as(third_of(4));
  const auto plan = run(store_->plan_migration());
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->obstacles, ::testing::Contains(HasSubstr("a partition takes no table over")));
  EXPECT_FALSE(run(store_->migrate()));
}

}  // namespace
}  // namespace inventory::store::conformance
