// A disk that fails at every point in turn must not make the SQLite store break a promise.

#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/sqlite/testing/faulty_disk.h"
#include "store/sqlite/testing/sqlite_test_database.h"

namespace inventory::store::sqlite {
namespace {

using conformance::kAccepted;
using conformance::order;
using conformance::OrderDecisions;
using conformance::replay;
using conformance::StoreOnLoop;
using domain::NewItem;
using testing::HasSubstr;
using Failure = FaultyDisk::Failure;

constexpr std::chrono::seconds kLong{60};

struct HasFaultyDisk {
  FaultyDisk disk_;  // before the store, and so after its end
};

class SqliteFaults : public testing::Test, public HasFaultyDisk, public StoreOnLoop {
 protected:
  SqliteFaults() : StoreOnLoop(std::make_unique<SqliteTestDatabase>()) {}

  const SqliteTestDatabase& file() const {
    return dynamic_cast<const SqliteTestDatabase&>(*database_);
  }
};

std::vector<domain::Order> two_orders(const std::string& name, domain::ProductId product) {
  return {order(name + " a", product, 1), order(name + " b", product, 2)};
}

// What a crash at the moment of the fault would have left: nothing of the batch, or all of it.
bool holds_batch(std::unique_ptr<SqliteTestDatabase> crashed,
                 const std::vector<domain::Order>& orders) {
  StoreOnLoop after_crash(std::move(crashed));
  const auto decisions = after_crash.decide(orders);
  EXPECT_EQ(decisions[0].replayed, decisions[1].replayed);
  return decisions[0].replayed;
}

TEST_F(SqliteFaults, KnowsWhatWasWrittenWhereverTheDiskFailsWhileOrdersAreDecided) {
  migrate();
  const auto shirt = product(100'000);
  std::set<std::pair<Fault, bool>> seen;  // the fault, and whether the batch survived a crash
  for (const auto failure : {Failure::io_error, Failure::full}) {
    bool met = true;
    for (int operations = 0; met; ++operations) {
      const auto name = fmt::format("{} {}", static_cast<int>(failure), operations);
      SCOPED_TRACE(name);
      const auto orders = two_orders(name, shirt);
      reopen();
      auto crashed = std::make_unique<SqliteTestDatabase>();
      disk_.fail_after(operations, failure, [&] { crashed->copy_as_after_a_crash(file()); });
      const auto decided = run(decide_orders(*store_, orders));
      met = disk_.disarm();
      if (decided) {
        EXPECT_EQ(*decided, (OrderDecisions{kAccepted, kAccepted}));
        continue;
      }
      EXPECT_THAT(decided.error().what, HasSubstr(file().path()));
      seen.emplace(decided.error().fault, holds_batch(std::move(crashed), orders));
      EXPECT_EQ(decide(orders), (OrderDecisions{kAccepted, kAccepted}));
      EXPECT_EQ(decide(orders), (OrderDecisions{replay(kAccepted), replay(kAccepted)}));
      EXPECT_EQ(database_->on_hand(shirt), database_->ledger_sum(shirt));
    }
  }
  // With `unavailable` nothing was written; a failed sync leaves doubt, and may leave the batch.
  EXPECT_EQ(seen,
            (std::set<std::pair<Fault, bool>>{
                {Fault::unavailable, false}, {Fault::in_doubt, false}, {Fault::in_doubt, true}}));
}

TEST_F(SqliteFaults, DecidesRequestsOfAllKindsOnceWhereverTheDiskFails) {
  migrate();
  const auto shirt = product(1'000);
  const auto sock = product(1'000);
  bool met = true;
  domain::Quantity shirts = 1'000;
  for (int operations = 0; met; ++operations) {
    SCOPED_TRACE(operations);
    const auto id = [&](const char* what) {
      return domain::OrderId(fmt::format("{} {}", what, operations));
    };
    const std::vector<domain::Command> commands{
        domain::Basket{.id = id("basket"), .items = {{shirt, 2}, {sock, 1}}},
        domain::Cancellation{.id = id("basket"), .items = {{shirt, 2}}},
        domain::Adjustment{.id = id("loss"), .product = shirt, .change = -1}};
    reopen();
    disk_.fail_after(operations, Failure::io_error);
    const auto first = run(store_->execute(commands, Locks::wait));
    met = disk_.disarm();
    const auto second = run(store_->execute(commands, Locks::wait));
    ASSERT_TRUE(second) << second.error().what;
    EXPECT_EQ(domain::is_replayed(second->front()), first.has_value());
    const auto third = run(store_->execute(commands, Locks::wait));
    ASSERT_TRUE(third) << third.error().what;
    for (const auto& decision : *third) EXPECT_TRUE(domain::is_replayed(decision));
    --shirts;
    EXPECT_EQ(database_->on_hand(shirt), shirts);
    EXPECT_EQ(database_->ledger_sum(shirt), shirts);
    EXPECT_EQ(database_->on_hand(sock), 1'000 - 1 - operations);
    EXPECT_EQ(database_->ledger_sum(sock), 1'000 - 1 - operations);
  }
}

TEST_F(SqliteFaults, AddsAnIdentifiedItemOnceWhereverTheDiskFails) {
  migrate();
  bool met = true;
  for (int operations = 0; met; ++operations) {
    SCOPED_TRACE(operations);
    const std::vector<NewItem> items{{fmt::format("message {}", operations), 7, "a sock", {}}};
    reopen();
    disk_.fail_after(operations, Failure::io_error);
    const auto first = run(add_items(*store_, items));
    met = disk_.disarm();
    const auto added = add(items).at(0);
    EXPECT_EQ(added.replayed, first.has_value());
    EXPECT_EQ(add(items).at(0), (domain::ItemDecision{added.item, true}));
    EXPECT_EQ(database_->on_hand(added.item.id), 7);
    EXPECT_EQ(database_->ledger_sum(added.item.id), 7);
  }
}

TEST_F(SqliteFaults, MigratesAgainWhereverTheDiskFailedTheFirstTime) {
  bool met = true;
  for (int operations = 0; met; ++operations) {
    SCOPED_TRACE(operations);
    auto database = std::make_unique<SqliteTestDatabase>();
    database->make_python_table();
    database->execute("INSERT INTO inventory VALUES (3, 10, 'a shirt', '2021-03-15 12:05:57')");
    StoreOnLoop client(std::move(database));
    const auto store = client.open();
    disk_.fail_after(operations, Failure::io_error);
    const auto first = client.run(store->migrate());
    met = disk_.disarm();
    const auto second = client.run(store->migrate());
    ASSERT_TRUE(second) << second.error().what;
    EXPECT_EQ(*second == 0, first.has_value());
    EXPECT_TRUE(client.run(store->ready()));
  }
}

TEST_F(SqliteFaults, SaysThatTheDiskIsFullAndGoesOnOnceThereIsRoom) {
  migrate();
  const auto shirt = product(10);
  const auto orders = two_orders("full", shirt);
  disk_.fail_after(0, Failure::full);
  const auto decided = run(decide_orders(*store_, orders));
  ASSERT_TRUE(disk_.disarm());
  ASSERT_FALSE(decided);
  EXPECT_EQ(decided.error().fault, Fault::unavailable);
  EXPECT_THAT(decided.error().what, HasSubstr("disk is full"));
  EXPECT_THAT(decided.error().what, HasSubstr("nothing was written"));
  EXPECT_EQ(decide(orders), (OrderDecisions{kAccepted, kAccepted}));
}

TEST_F(SqliteFaults, CopiesTheLogIntoTheFileWhenNobodyWaits) {
  migrate();
  disk_.forget_database_writes();
  product(10);
  EXPECT_TRUE(disk_.wait_for_database_write(kLong));
}

TEST_F(SqliteFaults, LosesNothingWhenACheckpointFails) {
  migrate();
  const auto shirt = product(10);
  const auto orders = two_orders("kept", shirt);
  auto crashed = std::make_unique<SqliteTestDatabase>();
  disk_.fail_after(3, Failure::checkpoint, [&] { crashed->copy_as_after_a_crash(file()); });
  EXPECT_EQ(decide(orders), (OrderDecisions{kAccepted, kAccepted}));
  ASSERT_TRUE(disk_.wait_for_fault(kLong));
  disk_.disarm();
  EXPECT_EQ(decide(orders), (OrderDecisions{replay(kAccepted), replay(kAccepted)}));
  EXPECT_TRUE(holds_batch(std::move(crashed), orders));
}

TEST_F(SqliteFaults, RefusesADiskThatCannotKeepAWriteAheadLog) {
  disk_.deny_shared_memory();
  const auto applied = run(store_->migrate());
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().fault, Fault::unavailable);
  EXPECT_THAT(applied.error().what, HasSubstr("write-ahead logging is not possible"));
}

}  // namespace
}  // namespace inventory::store::sqlite
