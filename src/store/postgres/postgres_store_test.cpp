#include "store/postgres/postgres_store.h"

#include <array>
#include <random>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "domain/testing/memory_tables.h"
#include "store/postgres/testing/store_fixture.h"

namespace inventory::store::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

// A trigger that runs within COMMIT.
constexpr const char* kAtCommit =
    "CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {}; RETURN NULL; END "
    "$$; CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON inventory_ledger DEFERRABLE INITIALLY "
    "DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()";

class PostgresStore : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (schema) {
      made = migrated_store();
    }
  }

  void put_item(domain::ProductId id, domain::Quantity quantity) {
    schema->sql(
        fmt::format("INSERT INTO inventory VALUES ({0}, {1}, NULL, now()); INSERT INTO "
                    "inventory_ledger VALUES ({0}, 'opening', 'opening', {1}, {1})",
                    id, quantity));
  }

  std::string stock(domain::ProductId id) {
    return schema->sql(fmt::format("SELECT quantity FROM inventory WHERE id = {}", id));
  }

  std::string sums_are_quantities() {
    return schema->sql(
        "SELECT bool_and(i.quantity = (SELECT sum(delta) FROM inventory_ledger WHERE product_id = "
        "i.id)) FROM inventory i");
  }

  template <class T>
  Error error_of(const Result<T>& result) {
    if (result) {
      ADD_FAILURE() << "it succeeded";
      return {Fault::refused, ""};
    }
    return result.error();
  }

  std::unique_ptr<Store> made;
};

TEST_F(PostgresStore, DecidesAsTheDomainDoes) {
  constexpr unsigned kSeed = 7;
  std::mt19937 random(kSeed);
  domain::MemoryTables tables{.stock = {{1, {40}}, {2, {5}}, {3, {0}}}};
  for (const auto& [id, stock] : tables.stock) {
    put_item(id, stock.quantity);
  }
  for (int batch = 0; batch < 30; ++batch) {
    Orders orders;
    for (unsigned i = random() % 20 + 1; i > 0; --i) {
      const auto below = [&](unsigned limit) {
        return static_cast<std::int64_t>(random() % limit);
      };
      const auto id = below(60);
      orders.push_back(
          {below(2) == 0 ? domain::OrderId(id) : domain::OrderId(fmt::format("ö'\"\\{{{}}}", id)),
           below(4) + 1, below(3) + 1});
    }
    const auto expected = tables.decide_orders(orders);
    const auto decided = run(decide_orders(*made, orders));
    ASSERT_TRUE(decided) << decided.error().what;
    ASSERT_EQ(*decided, expected) << "batch " << batch << " of seed " << kSeed;
  }
  for (const auto& [id, now] : tables.stock) {
    EXPECT_EQ(stock(id), std::to_string(now.quantity));
  }
  EXPECT_EQ(sums_are_quantities(), "t");
  EXPECT_EQ(schema->sql("SELECT count(*) FROM inventory_ledger WHERE outcome <> 'opening'"),
            std::to_string(tables.ledger.size()));
  EXPECT_EQ(schema->connections(), 1);
}

TEST_F(PostgresStore, GivesARequestSeenAgainTheItemAsItWasAdded) {
  const auto first = run(add_items(*made, Items{item("m2", 5), item({}, 6), item("m1", 7)}));
  ASSERT_TRUE(first) << first.error().what;
  EXPECT_EQ(schema->sql("SELECT created_at FROM inventory WHERE id = 1"),
            "2025-11-24 16:00:00.123456");
  schema->sql("UPDATE inventory SET quantity = 1, description = 'changed'");
  const auto second = run(add_items(*made, Items{item("m2", 5)}));
  ASSERT_TRUE(second) << second.error().what;
  EXPECT_EQ(second->front(), (domain::ItemDecision{first->front().item, true}));
  EXPECT_EQ(schema->sql("SELECT count(*) FROM inventory"), "3");
}

TEST_F(PostgresStore, KeepsAMissingDescriptionApartFromAnEmptyOne) {
  auto missing = item("m1", 1);
  missing.description = std::nullopt;
  auto empty = item("m2", 1);
  empty.description = "";
  ASSERT_TRUE(run(add_items(*made, Items{missing, empty})));
  const auto again = run(add_items(*made, Items{missing, empty}));
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ((*again)[0].item.description, std::nullopt);
  EXPECT_EQ((*again)[1].item.description, "");
}

TEST_F(PostgresStore, CarriesABatchLargerThanAnySocketBuffer) {
  Items items;
  for (int i = 0; i < 2'000; ++i) {
    items.push_back(item(fmt::format("{:0>500}", i), 1));
    items.back().description = std::string(10'000, 'x');
  }
  auto options = schema->options();
  options.statement_timeout = seconds(25);  // the machine may be busy with other things
  const auto patient = store(options);
  const auto added = run(add_items(*patient, items));
  ASSERT_TRUE(added) << added.error().what;
  const auto again = run(add_items(*patient, items));
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->back().item, added->back().item);
}

TEST_F(PostgresStore, NeverSellsMoreThanThereIsNorDecidesTwiceWhereTwoInstancesCompete) {
  put_item(1, 50);
  const auto other = store(schema->options());
  std::vector<Orders> batches;
  for (int batch = 0; batch < 20; ++batch) {
    Orders orders;
    for (int i = 0; i < 10; ++i) {  // each order is in two batches, and there is no product 2
      orders.push_back(order((batch * 5 + i) % 100, i % 4 == 0 ? 2 : 1, 1));
    }
    batches.push_back(std::move(orders));
  }
  std::array<std::size_t, 2> next{0, 0};
  const std::array<Store*, 2> stores{made.get(), other.get()};
  std::array<std::future<Result<Decisions>>, 2> running;
  for (std::size_t at = 0; at < 2; ++at) {
    running[at] = start(decide_orders(*stores[at], batches[0]));
  }
  const auto done = [&](std::size_t at) {
    return running[at].wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  };
  while (next[0] < batches.size() || next[1] < batches.size()) {
    run_until([&] {
      return (next[0] < batches.size() && done(0)) || (next[1] < batches.size() && done(1));
    });
    for (std::size_t at = 0; at < 2; ++at) {
      if (next[at] == batches.size() || !done(at)) {
        continue;
      }
      const auto decided = running[at].get();
      ASSERT_TRUE(decided || decided.error().fault == Fault::retryable) << decided.error().what;
      next[at] += decided ? 1 : 0;
      if (next[at] < batches.size()) {
        running[at] = start(decide_orders(*stores[at], batches[next[at]]));
      }
    }
  }
  EXPECT_EQ(stock(1), "0");
  EXPECT_EQ(sums_are_quantities(), "t");
  EXPECT_EQ(schema->sql("SELECT count(*) FROM inventory_ledger WHERE outcome = 'accepted'"), "50");
}

TEST_F(PostgresStore, LetsOrdersItemsAndReadinessOverlap) {
  put_item(100, 10);
  schema->sql("BEGIN; SELECT FROM inventory WHERE id = 100 FOR UPDATE");
  const Orders orders{order(1, 100, 1)};
  auto decided = start(decide_orders(*made, orders));
  run_until([&] { return schema->waiting() == 1; });
  EXPECT_TRUE(run(add_items(*made, Items{item("m1", 1)})));
  EXPECT_TRUE(run(made->ready()));
  EXPECT_EQ(run(made->migrate()), 0);
  schema->sql("COMMIT");
  EXPECT_EQ(finish(std::move(decided)), Decisions{kAccepted});
}

TEST_F(PostgresStore, LetsOtherTablesReferToAnItemThatIsLocked) {
  put_item(1, 10);
  schema->sql("CREATE TABLE reference (item BIGINT REFERENCES inventory)");
  schema->sql("BEGIN; INSERT INTO reference VALUES (1)");
  EXPECT_EQ(run(decide_orders(*made, Orders{order(1, 1, 1)})), Decisions{kAccepted});
  schema->sql("COMMIT");
}

TEST_F(PostgresStore, ReplacesAConnectionThatTheServerClosedWhileItWasIdle) {
  put_item(1, 10);
  ASSERT_TRUE(run(decide_orders(*made, Orders{order(1, 1, 1)})));
  schema->terminate_connections();
  EXPECT_EQ(run(decide_orders(*made, Orders{order(1, 1, 1), order(2, 1, 1)})),
            (Decisions{replay(kAccepted), kAccepted}));
  schema->terminate_connections();
  EXPECT_TRUE(run(made->ready()));
}

TEST_F(PostgresStore, SaysThatNothingWasWrittenWhereItsConnectionDiesBeforeCommit) {
  put_item(1, 10);
  schema->sql("BEGIN; SELECT FROM inventory WHERE id = 1 FOR UPDATE");
  schema->terminate_connections();
  const auto fresh = store(schema->options());
  const Orders orders{order(1, 1, 1)};
  auto decided = start(decide_orders(*fresh, orders));
  run_until([&] { return schema->waiting() == 1; });
  schema->terminate_connections();
  const auto error = error_of(finish(std::move(decided)));
  EXPECT_EQ(error.fault, Fault::unavailable);
  EXPECT_THAT(error.what, HasSubstr("57P01"));
  schema->sql("COMMIT");
  EXPECT_EQ(run(decide_orders(*fresh, orders)), Decisions{kAccepted});
}

// What runs at COMMIT was made to run before it.
TEST_F(PostgresStore, TriesAgainWhereItsConnectionIsEndedBeforeCommitRuns) {
  put_item(1, 10);
  schema->sql(fmt::format(kAtCommit, "PERFORM pg_advisory_xact_lock(hashtext(current_schema()))") +
              "; SELECT pg_advisory_lock(hashtext(current_schema()))");
  const auto fresh = store(schema->options());  // a session that was idle would be replaced
  const Orders orders{order(1, 1, 1)};
  auto decided = start(decide_orders(*fresh, orders));
  run_until([&] { return schema->waiting() == 1; });
  schema->terminate_connections();
  const auto error = error_of(finish(std::move(decided)));
  EXPECT_EQ(error.fault, Fault::retryable) << error.what;
  schema->sql("SELECT pg_advisory_unlock(hashtext(current_schema()))");
  EXPECT_EQ(run(decide_orders(*made, orders)), Decisions{kAccepted});
  EXPECT_EQ(stock(1), "9");
}

TEST_F(PostgresStore, IsInDoubtWhereTheDeadlinePassesAfterCommitWasSent) {
  put_item(1, 10);
  schema->sql(fmt::format(kAtCommit, "PERFORM pg_advisory_xact_lock(hashtext(current_schema()))") +
              "; SELECT pg_advisory_lock(hashtext(current_schema()))");
  auto options = schema->options();
  options.call_deadline = milliseconds(500);
  const auto hurried = store(options);
  const auto error = error_of(run(decide_orders(*hurried, Orders{order(1, 1, 1)})));
  EXPECT_EQ(error.fault, Fault::in_doubt);
  EXPECT_THAT(error.what, HasSubstr("did not answer in time"));
  schema->sql("SELECT pg_advisory_unlock(hashtext(current_schema()))");
}

TEST_F(PostgresStore, IsInDoubtWhereACommitDidNotWaitForItsStandby) {
  put_item(1, 10);
  schema->sql(fmt::format(kAtCommit,
                          "RAISE WARNING 'canceling wait for synchronous replication "
                          "due to user request'"));
  EXPECT_EQ(error_of(run(decide_orders(*made, Orders{order(1, 1, 1)}))).fault, Fault::in_doubt);
  EXPECT_EQ(run(decide_orders(*made, Orders{order(1, 1, 1)})), Decisions{replay(kAccepted)});
}

TEST_F(PostgresStore, FindsOutSoonThatSomebodyKeepsARow) {
  put_item(1, 10);
  auto options = schema->options();
  options.lock_timeout = PostgresOptions().lock_timeout;
  const auto impatient = store(options);
  schema->sql("BEGIN; SELECT FROM inventory WHERE id = 1 FOR UPDATE");
  const auto error = error_of(run(decide_orders(*impatient, Orders{order(1, 1, 1)})));
  EXPECT_EQ(error.fault, Fault::locked);
  EXPECT_THAT(error.what, HasSubstr("locking items"));
  EXPECT_THAT(error.what, HasSubstr("55P03"));
  schema->sql("COMMIT");
  EXPECT_EQ(run(decide_orders(*impatient, Orders{order(1, 1, 1)})), Decisions{kAccepted});
  EXPECT_EQ(schema->connections(), 2) << "one of the store's, and one of that which migrated";
}

// The store waits a minute for a lock: what ends is not the wait.
TEST_F(PostgresStore, NamesTheProductsWhoseRowsItSkipsAndWritesNothing) {
  for (const int id : {1, 2, 3, 4}) {
    put_item(id, 10);
  }
  schema->sql("BEGIN; SELECT FROM inventory WHERE id IN (2, 4) FOR UPDATE");
  const Orders orders{order(1, 4, 1), order(1, 1, 1), order(1, 2, 1), order(1, 5, 1),
                      order(1, 3, 1)};
  const auto error = error_of(run(decide_orders(*made, orders, Locks::skip)));
  EXPECT_EQ(error.fault, Fault::locked);
  EXPECT_EQ(error.products, (std::vector<domain::ProductId>{2, 4}));
  EXPECT_THAT(error.what, HasSubstr("product 2 and 1 more"));
  EXPECT_EQ(run(decide_orders(*made, Orders{order(1, 1, 1), order(1, 5, 1)}, Locks::skip)),
            (Decisions{kAccepted, kNotFound}));
  schema->sql("COMMIT");
  EXPECT_EQ(run(decide_orders(*made, orders, Locks::skip)),
            (Decisions{kAccepted, replay(kAccepted), kAccepted, replay(kNotFound), kAccepted}));
  EXPECT_EQ(schema->connections(), 1);
}

TEST_F(PostgresStore, IsLockedWithoutAProductWhereSomebodyKeepsMoreThanARow) {
  put_item(1, 10);
  auto options = schema->options();
  options.lock_timeout = milliseconds(50);
  const auto impatient = store(options);
  for (const auto* held : {"LOCK TABLE inventory IN ACCESS EXCLUSIVE MODE",
                           "INSERT INTO inventory_ledger VALUES (1, 'i1', 'accepted', 1, -1)"}) {
    schema->sql(fmt::format("BEGIN; {}", held));
    for (const auto locks : {Locks::wait, Locks::skip}) {
      const auto error = error_of(run(decide_orders(*impatient, Orders{order(1, 1, 1)}, locks)));
      EXPECT_EQ(error.fault, Fault::locked) << held;
      EXPECT_TRUE(error.products.empty()) << held;
    }
    schema->sql("ROLLBACK");
  }
  EXPECT_EQ(run(decide_orders(*impatient, Orders{order(1, 1, 1)})), Decisions{kAccepted});
}

TEST_F(PostgresStore, TriesAnotherProductDownToWhatRunsAtACommit) {
  put_item(1, 10);
  put_item(2, 10);
  auto options = schema->options();
  options.lock_timeout = milliseconds(50);
  const auto impatient = store(options);
  const std::vector<domain::ProductId> failing{1};
  EXPECT_TRUE(run(impatient->try_another(failing)));
  schema->sql("BEGIN; LOCK TABLE inventory IN SHARE MODE");
  EXPECT_EQ(error_of(run(impatient->try_another(failing))).fault, Fault::locked);
  schema->sql("ROLLBACK");
  EXPECT_TRUE(run(impatient->try_another(failing)));
  schema->sql(
      "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS "
      "$$ BEGIN RAISE EXCEPTION 'too late'; END $$;"
      "CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON inventory DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION late()");
  EXPECT_THAT(error_of(run(impatient->try_another(failing))).what, HasSubstr("too late"));
  EXPECT_TRUE(run(impatient->try_another(std::vector<domain::ProductId>{2})));
  EXPECT_EQ(schema->sql("SELECT sum(quantity) FROM inventory"), "20");
  EXPECT_EQ(schema->sql("SELECT count(*) FROM inventory_ledger WHERE delta < 0"), "0");
}

TEST_F(PostgresStore, IsReadyNoSoonerThanItsTablesAreFree) {
  auto options = schema->options();
  options.lock_timeout = milliseconds(50);
  const auto impatient = store(options);
  schema->sql("BEGIN; LOCK TABLE inventory_migration IN ACCESS EXCLUSIVE MODE");
  EXPECT_EQ(error_of(run(impatient->ready())).fault, Fault::retryable);
  EXPECT_EQ(error_of(run(impatient->migrate())).fault, Fault::retryable);
  schema->sql("COMMIT");
  EXPECT_TRUE(run(impatient->ready()));
}

TEST_F(PostgresStore, MayBeAskedAgainWhereAnotherInstanceTookAnIdentity) {
  schema->sql(
      "BEGIN; INSERT INTO inventory_ledger VALUES (1, 'i1', 'product_not_found', 1, 0);"
      "INSERT INTO inventory_item_request VALUES ('m1', 77, 1, 'a shirt', now())");
  const Orders orders{order(1, 1, 1)};
  const Items items{item("m1", 1)};
  auto decided = start(decide_orders(*made, orders));
  auto added = start(add_items(*made, items));
  run_until([&] { return schema->waiting() == 2; });
  schema->sql("COMMIT");
  EXPECT_EQ(error_of(finish(std::move(decided))).fault, Fault::retryable);
  EXPECT_EQ(error_of(finish(std::move(added))).fault, Fault::retryable);
  EXPECT_EQ(run(decide_orders(*made, orders)), Decisions{replay(kNotFound)});
  EXPECT_EQ(run(add_items(*made, items))->front().item.id, 77);
}

TEST_F(PostgresStore, RefusesABatchForItsDataAndTakesTheNextOne) {
  put_item(1, 10);
  const Orders bad{order(1, 1, 1), {domain::OrderId("\xff"), 1, 1}};
  const auto error = error_of(run(decide_orders(*made, bad)));
  EXPECT_EQ(error.fault, Fault::refused);
  EXPECT_THAT(error.what, HasSubstr("22021"));
  auto bad_item = item("m1", 1);
  bad_item.description = "\xff";
  EXPECT_EQ(error_of(run(add_items(*made, Items{bad_item}))).fault, Fault::refused);
  EXPECT_EQ(stock(1), "10");
  EXPECT_EQ(run(decide_orders(*made, Orders{order(1, 1, 1)})), Decisions{kAccepted});
  EXPECT_EQ(schema->connections(), 1);
}

TEST_F(PostgresStore, RefusesADescriptionThatIsTooLongForTheOwnersIndexAndNoOther) {
  schema->sql("CREATE INDEX ON inventory (description)");
  std::mt19937 random(7);
  auto bad = item("m2", 2);
  bad.description = std::string(9'000, ' ');  // that no compression makes short enough
  for (char& letter : *bad.description) {
    letter = static_cast<char>(' ' + random() % 95);
  }
  const Items items{item("m1", 1), bad, item("m3", 3)};
  const auto error = error_of(run(add_items(*made, items)));
  EXPECT_EQ(error.fault, Fault::refused);
  EXPECT_THAT(error.what, HasSubstr("54000"));
  EXPECT_EQ(schema->sql("SELECT count(*) FROM inventory"), "0");

  // As the service halves the batch.
  EXPECT_TRUE(run(add_items(*made, std::span(items).first(1))));
  EXPECT_EQ(error_of(run(add_items(*made, std::span(items).subspan(1)))).fault, Fault::refused);
  EXPECT_EQ(error_of(run(add_items(*made, std::span(items).subspan(1, 1)))).fault, Fault::refused);
  EXPECT_TRUE(run(add_items(*made, std::span(items).subspan(2))));
  EXPECT_EQ(schema->sql("SELECT string_agg(quantity::text, ' ' ORDER BY id) FROM inventory"),
            "1 3");
}

TEST_F(PostgresStore, RefusesAnItemThatAnExclusionOfTheOwnersForbids) {
  schema->sql("ALTER TABLE inventory ADD EXCLUDE USING btree (description WITH =)");
  EXPECT_TRUE(run(add_items(*made, Items{item("m1", 1)})));
  const auto error = error_of(run(add_items(*made, Items{item("m2", 2)})));
  EXPECT_EQ(error.fault, Fault::refused);
  EXPECT_THAT(error.what, HasSubstr("23P01"));
}

// ---- what others do to the tables

TEST_F(PostgresStore, LetsARuleHaveNoWriteAndOtherProductsTheirs) {
  put_item(1, 10);
  put_item(2, 10);
  schema->sql("CREATE RULE keep AS ON UPDATE TO inventory WHERE NEW.id = 2 DO INSTEAD NOTHING");
  const auto error =
      error_of(run(decide_orders(*made, Orders{order(1, 1, 1), order(1, 2, 6), order(2, 2, 3)})));
  EXPECT_EQ(error.fault, Fault::failing) << error.what;
  EXPECT_EQ(error.products, std::vector<domain::ProductId>{2});
  EXPECT_THAT(error.what, HasSubstr("inventory 2"));
  EXPECT_EQ(run(decide_orders(*made, Orders{order(1, 1, 1), order(3, 2, 11)})),
            (Decisions{kAccepted, kNotEnough}));
  EXPECT_EQ(stock(2), "10");
  EXPECT_EQ(sums_are_quantities(), "t");
}

TEST_F(PostgresStore, NoticesALedgerThatKeepsNothing) {
  put_item(100, 10);
  schema->sql("CREATE RULE keep AS ON INSERT TO inventory_ledger DO INSTEAD NOTHING");
  for (const auto product : {100, 105}) {  // 105: there is no such product
    const auto error = error_of(run(decide_orders(*made, Orders{order(1, product, 1)})));
    EXPECT_EQ(error.fault, Fault::failing) << error.what;
    EXPECT_EQ(error.products, std::vector<domain::ProductId>{product});
    EXPECT_THAT(error.what, HasSubstr("inventory_ledger"));
  }
  EXPECT_EQ(stock(100), "10");
  EXPECT_EQ(error_of(run(add_items(*made, Items{item("m1", 1)}))).fault, Fault::failing);
  EXPECT_EQ(schema->sql("SELECT count(*) FROM inventory"), "1");
}

TEST_F(PostgresStore, NoticesATriggerThatWorksAfterTheWrite) {
  put_item(1, 10);
  put_item(2, 10);
  schema->sql(
      "CREATE FUNCTION after() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM "
      "inventory_ledger WHERE product_id = 2 AND identity = NEW.identity; RETURN NULL; END $$; "
      "CREATE TRIGGER after AFTER INSERT ON inventory_ledger FOR EACH ROW EXECUTE FUNCTION "
      "after()");
  const auto error = error_of(run(decide_orders(*made, Orders{order(1, 1, 1), order(1, 2, 1)})));
  EXPECT_EQ(error.fault, Fault::failing) << error.what;
  EXPECT_EQ(error.products, std::vector<domain::ProductId>{2});
  EXPECT_EQ(run(decide_orders(*made, Orders{order(1, 1, 1)})), Decisions{kAccepted});
  EXPECT_EQ(sums_are_quantities(), "t");
}

TEST_F(PostgresStore, NoticesATriggerThatWorksAtCommit) {
  put_item(1, 10);
  schema->sql(
      "CREATE FUNCTION keep_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE inventory "
      "SET quantity = 10 WHERE id = NEW.id AND quantity <> 10; RETURN NULL; END $$; CREATE "
      "CONSTRAINT TRIGGER keep_full AFTER UPDATE ON inventory DEFERRABLE INITIALLY DEFERRED FOR "
      "EACH ROW EXECUTE FUNCTION keep_full()");
  const auto error = error_of(run(decide_orders(*made, Orders{order(1, 1, 6)})));
  EXPECT_EQ(error.fault, Fault::failing) << error.what;
  EXPECT_EQ(error.products, std::vector<domain::ProductId>{1});
  EXPECT_EQ(sums_are_quantities(), "t");
}

TEST_F(PostgresStore, AddsNoItemUnderAnotherId) {
  schema->sql(
      "CREATE FUNCTION own_id() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := nextval("
      "'inventory_id_seq'); RETURN NEW; END $$; CREATE TRIGGER own_id BEFORE INSERT ON inventory "
      "FOR EACH ROW EXECUTE FUNCTION own_id()");
  const auto error = error_of(run(add_items(*made, Items{item("m1", 3)})));
  EXPECT_EQ(error.fault, Fault::failing) << error.what;
  EXPECT_TRUE(error.products.empty());
  EXPECT_EQ(schema->sql("SELECT count(*) FROM inventory"), "0");
  EXPECT_EQ(schema->sql("SELECT count(*) FROM inventory_ledger"), "0");
}

TEST_F(PostgresStore, WritesBesideTriggersAndReferencesThatDoNoHarm) {
  schema->sql(
      "CREATE TABLE history (product bigint REFERENCES inventory, quantity bigint);"
      "CREATE FUNCTION history() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO history "
      "VALUES (NEW.id, NEW.quantity); NEW.description := trim(NEW.description); RETURN NEW; END "
      "$$; CREATE TRIGGER history BEFORE UPDATE ON inventory FOR EACH ROW EXECUTE FUNCTION "
      "history()");
  const auto added = run(add_items(*made, Items{item("m1", 3), item({}, 1)}));
  ASSERT_TRUE(added) << added.error().what;
  const auto id = added->front().item.id;
  const Orders orders{order(1, id, 2), order(2, id, 2), order(3, id + 5, 1)};
  EXPECT_EQ(run(decide_orders(*made, orders)), (Decisions{kAccepted, kNotEnough, kNotFound}));
  EXPECT_EQ(schema->sql("SELECT quantity FROM history"), "1");
  EXPECT_EQ(run(add_items(*made, Items{item("m1", 3)}))->front().replayed, true);
  EXPECT_EQ(sums_are_quantities(), "t");
  EXPECT_EQ(schema->connections(), 1);
}

TEST_F(PostgresStore, NamesEveryRowThatNothingCanBeDecidedBy) {
  for (const int id : {1, 2, 3}) {
    put_item(id, 10);
  }
  schema->sql(
      "ALTER TABLE inventory ALTER quantity DROP NOT NULL;"
      "ALTER TABLE inventory_ledger ALTER outcome DROP NOT NULL;"
      "UPDATE inventory SET quantity = NULL WHERE id = 1;"
      "INSERT INTO inventory_ledger VALUES (2, 'i7', NULL, 1, -1)");
  const auto error =
      error_of(run(decide_orders(*made, Orders{order(7, 1, 1), order(7, 2, 1), order(7, 3, 1)})));
  EXPECT_EQ(error.fault, Fault::failing);
  EXPECT_EQ(error.products, (std::vector<domain::ProductId>{1, 2}));
  EXPECT_THAT(error.what, HasSubstr("table inventory, id 1: quantity is NULL; and 1 rows more"));
  EXPECT_THAT(error_of(run(decide_orders(*made, Orders{order(7, 2, 1)}))).what,
              HasSubstr("table inventory_ledger, product_id 2, identity i7: outcome is NULL"));
  EXPECT_EQ(run(decide_orders(*made, Orders{order(7, 3, 1)})), Decisions{kAccepted});
  EXPECT_EQ(schema->connections(), 1);
}

TEST_F(PostgresStore, NamesTheAnswerOfAnItemRequestThatCannotBeRead) {
  schema->sql(
      "ALTER TABLE inventory_item_request ALTER quantity DROP NOT NULL;"
      "INSERT INTO inventory_item_request VALUES ('m1', 5, NULL, '', now()), "
      "('m2', 5, 5, '', '-infinity'), ('m3', 5, 5, '', '20000-01-01')");
  for (const auto& [identity, column] : {std::pair{"m1", "quantity"}, std::pair{"m2", "created_at"},
                                         std::pair{"m3", "created_at"}}) {
    const auto error = error_of(run(add_items(*made, Items{item(identity, 1)})));
    EXPECT_EQ(error.fault, Fault::failing);
    EXPECT_THAT(error.what, HasSubstr(fmt::format("inventory_item_request, identity {}: {}",
                                                  identity, column)));
  }
  EXPECT_TRUE(run(add_items(*made, Items{item("m4", 1)})));
}

TEST_F(PostgresStore, SaysThatIdsHaveNoSequence) {
  schema->sql("ALTER SEQUENCE inventory_id_seq OWNED BY NONE");
  const auto error = error_of(run(add_items(*made, Items{item("m1", 1)})));
  EXPECT_EQ(error.fault, Fault::unavailable);
  EXPECT_THAT(error.what, HasSubstr("ALTER SEQUENCE"));
  schema->sql("ALTER SEQUENCE inventory_id_seq OWNED BY inventory.id");
  EXPECT_TRUE(run(add_items(*made, Items{item("m1", 1)})));
}

TEST_F(PostgresStore, ReadsBesideARowThatItCannotReadAndNamesIt) {
  put_item(1, 10);
  put_item(2, 10);
  schema->sql(
      "ALTER TABLE inventory ALTER quantity DROP NOT NULL;"
      "UPDATE inventory SET created_at = 'infinity' WHERE id = 1;"
      "UPDATE inventory SET quantity = NULL WHERE id = 2;"
      "ALTER TABLE inventory_ledger ALTER delta DROP NOT NULL;"
      "INSERT INTO inventory_ledger VALUES (1, 'i1', 'accepted', 1, -1), "
      "(2, 'i7', 'accepted', 1, NULL), (2, 'i8', 'accepted', 1, -1)");
  const auto reader = schema->open_reader();
  ASSERT_TRUE(reader->begin());
  const auto first = reader->items(0, 1, 1);
  ASSERT_TRUE(first) << first.error().what;
  EXPECT_EQ(first->front().created_at, std::nullopt);
  EXPECT_TRUE(first->front().has_odd_time);
  const auto items = reader->items(0, 10, 1'000);
  ASSERT_TRUE(items) << items.error().what;
  EXPECT_EQ(items->at(1).quantity, std::nullopt);
  EXPECT_THAT(error_of(reader->stock(0, 10)).what, HasSubstr("product 2: quantity is NULL"));
  EXPECT_TRUE(reader->ledger({}, 1));
  const auto error = error_of(reader->ledger({}, 10));
  EXPECT_EQ(error.fault, Fault::failing);
  EXPECT_THAT(error.what,
              HasSubstr("table inventory_ledger, product_id 2, identity i7: delta is NULL"));
}

// What a trigger of the operator's may set for good: a setting, and its value.
class SessionState : public PostgresStore,
                     public testing::WithParamInterface<std::pair<const char*, const char*>> {};

TEST_P(SessionState, IsAsItWasConnectedForTheNextBatch) {
  put_item(1, 10);
  schema->sql(fmt::format(
      "CREATE TABLE seen (value text);"
      "CREATE FUNCTION meddling() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen "
      "VALUES (current_setting('{0}')); PERFORM set_config('{0}', '{1}', false); RETURN NULL; END "
      "$$; CREATE TRIGGER meddling AFTER INSERT ON inventory_ledger FOR EACH ROW EXECUTE FUNCTION "
      "meddling()",
      GetParam().first, GetParam().second));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(run(decide_orders(*made, Orders{order(i, 1, 1)})), Decisions{kAccepted});
  }
  EXPECT_EQ(schema->sql("SELECT count(value) FROM seen"), "3");
  EXPECT_EQ(schema->sql("SELECT count(DISTINCT value) FROM seen"), "1");
  EXPECT_EQ(sums_are_quantities(), "t");
  EXPECT_EQ(schema->connections(), 1);
}

INSTANTIATE_TEST_SUITE_P(PostgresStore, SessionState,
                         testing::Values(std::pair("search_path", "nowhere"),
                                         std::pair("statement_timeout", "1min"),
                                         std::pair("lock_timeout", "7s"),
                                         std::pair("enable_indexscan", "off"),
                                         std::pair("default_transaction_read_only", "on"),
                                         std::pair("role", "pg_monitor"),
                                         std::pair("session_authorization", "pg_monitor")));

TEST_F(PostgresStore, CommitsDurablyThoughATriggerDoesNotWantTo) {
  put_item(1, 10);
  schema->sql(
      "CREATE TABLE seen (value text);"
      "CREATE FUNCTION hurry() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen "
      "VALUES "
      "(current_setting('synchronous_commit')); SET synchronous_commit = off; RETURN NULL; END $$;"
      "CREATE TRIGGER hurry AFTER INSERT ON inventory_ledger FOR EACH ROW EXECUTE FUNCTION "
      "hurry()");
  const auto odd = store(schema->options("-c synchronous_commit=off"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(run(decide_orders(*odd, Orders{order(i, 1, 1)})), Decisions{kAccepted});
  }
  EXPECT_EQ(schema->sql("SELECT string_agg(value, ' ') FROM seen"), "on on on");
}

// Whether it decides or fails.
TEST_F(PostgresStore, KeepsNoLockThatATriggerHasTakenForTheSession) {
  for (const int id : {1, 2}) put_item(id, 10);
  schema->sql(
      "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
      "pg_advisory_lock(1); IF NEW.id = 2 THEN RAISE 'on hold'; END IF; RETURN NEW; END $$; CREATE "
      "TRIGGER keep BEFORE UPDATE ON inventory FOR EACH ROW EXECUTE FUNCTION keep()");
  auto other = store(schema->options());
  for (int i = 0; i < 3; ++i) {
    for (const auto* one : {&made, &other}) {
      EXPECT_EQ(error_of(run(decide_orders(**one, Orders{order(i, 2, 1)}))).fault, Fault::failing);
      const auto decided = run(decide_orders(**one, Orders{order(i, 1, 1)}));
      EXPECT_TRUE(decided) << decided.error().what;
    }
  }
}

TEST_F(PostgresStore, KeepsNoTableThatATriggerHasMadeForTheSession) {
  put_item(1, 10);
  schema->sql(
      "CREATE FUNCTION make() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE made "
      "(id bigint); RETURN NEW; END $$; CREATE TRIGGER make BEFORE UPDATE ON inventory FOR EACH "
      "ROW EXECUTE FUNCTION make()");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(run(decide_orders(*made, Orders{order(i, 1, 1)})), Decisions{kAccepted});
  }
  EXPECT_EQ(schema->connections(), 1);
}

// They would hold what is written, which ends with the session.
TEST_F(PostgresStore, FailsForAProductWhoseTriggerHidesTheLedgerBehindATemporaryTable) {
  for (const int id : {1, 2}) put_item(id, 10);
  schema->sql(
      "CREATE FUNCTION hide() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 2 THEN "
      "CREATE TEMP TABLE inventory_ledger (LIKE inventory_ledger INCLUDING ALL); END IF; RETURN "
      "NEW; END $$; CREATE TRIGGER hide BEFORE UPDATE ON inventory FOR EACH ROW EXECUTE FUNCTION "
      "hide()");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(error_of(run(decide_orders(*made, Orders{order(i, 2, 1)}))).fault, Fault::failing);
    EXPECT_EQ(run(decide_orders(*made, Orders{order(i, 1, 1)})), Decisions{kAccepted});
  }
  EXPECT_EQ(schema->on_hand(2), 10);
}

// Though 25006 says so of the whole server otherwise.
TEST_F(PostgresStore, FailsForTheProductWhoseTriggerMakesTheTransactionReadOnly) {
  for (const int id : {1, 2}) put_item(id, 10);
  schema->sql(
      "CREATE FUNCTION end_writes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 2 "
      "THEN "
      "SET LOCAL transaction_read_only = on; END IF; RETURN NEW; END $$; CREATE TRIGGER end_writes "
      "AFTER UPDATE ON inventory FOR EACH ROW EXECUTE FUNCTION end_writes()");
  for (int i = 0; i < 3; ++i) {
    const auto error = error_of(run(decide_orders(*made, Orders{order(i, 1, 1), order(i, 2, 1)})));
    EXPECT_EQ(error.fault, Fault::failing) << error.what;
    EXPECT_EQ(run(decide_orders(*made, Orders{order(i, 1, 1)})), Decisions{kAccepted});
  }
}

// So it is tried soon, and by halves.
TEST_F(PostgresStore, RetriesWhereATriggerEndsItsOwnSession) {
  for (const int id : {1, 2}) put_item(id, 10);
  schema->sql(
      "CREATE FUNCTION end_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 2 THEN "
      "PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$; CREATE TRIGGER "
      "end_it BEFORE UPDATE ON inventory FOR EACH ROW EXECUTE FUNCTION end_it()");
  for (int i = 0; i < 3; ++i) {
    const auto error = error_of(run(decide_orders(*made, Orders{order(i, 1, 1), order(i, 2, 1)})));
    EXPECT_EQ(error.fault, Fault::retryable) << error.what;
    EXPECT_THAT(error.what, Not(HasSubstr("not known")));
    EXPECT_EQ(run(decide_orders(*made, Orders{order(i, 1, 1)})), Decisions{kAccepted});
  }
}

// Its locks would stay as long as it runs: no timeout ends it.
TEST_F(PostgresStore, EndsAStatementThatItHasGivenUpAndThatCatchesItsEnd) {
  for (const int id : {1, 2}) put_item(id, 10);
  schema->sql(
      "CREATE FUNCTION go_on() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN WHILE NEW.id = 2 LOOP "
      "BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; RETURN "
      "NEW; END $$; CREATE TRIGGER go_on BEFORE UPDATE ON inventory FOR EACH ROW EXECUTE FUNCTION "
      "go_on()");
  auto options = schema->options();
  options.statement_timeout = std::chrono::milliseconds(100);
  options.call_deadline = std::chrono::milliseconds(1'000);
  const auto hasty = store(options);
  EXPECT_FALSE(run(decide_orders(*hasty, Orders{order(1, 1, 1), order(1, 2, 1)})));
  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  auto decided = run(decide_orders(*made, Orders{order(2, 1, 1)}));
  while (!decided && std::chrono::steady_clock::now() < until) {
    decided = run(decide_orders(*made, Orders{order(2, 1, 1)}));
  }
  EXPECT_EQ(decided, Decisions{kAccepted});
}

// Not even where the next statement is prepared after that.
TEST_F(PostgresStore, FailsForTheProductWhoseTriggerMovesTheTablesOutOfSight) {
  for (const int id : {1, 2}) put_item(id, 10);
  schema->sql(
      "CREATE FUNCTION hide() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 2 THEN "
      "PERFORM set_config('search_path', 'nowhere', false); END IF; RETURN NEW; END $$; CREATE "
      "TRIGGER hide BEFORE UPDATE ON inventory FOR EACH ROW EXECUTE FUNCTION hide()");
  for (int i = 0; i < 3; ++i) {
    const auto error = error_of(run(decide_orders(*made, Orders{order(i, 1, 1), order(i, 2, 1)})));
    EXPECT_EQ(error.fault, Fault::failing) << error.what;
    EXPECT_THAT(error.what, HasSubstr("inventory_ledger"));
    EXPECT_EQ(run(decide_orders(*made, Orders{order(i, 1, 1)})), Decisions{kAccepted});
  }
}

// Which is not undone by a rollback.
TEST_F(PostgresStore, TakesAnotherSessionWhereATriggerHasDroppedThePreparedStatements) {
  for (const int id : {1, 2}) put_item(id, 10);
  schema->sql(
      "CREATE FUNCTION drop_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 2 THEN "
      "DEALLOCATE ALL; END IF; RETURN NEW; END $$; CREATE TRIGGER drop_all BEFORE UPDATE ON "
      "inventory FOR EACH ROW EXECUTE FUNCTION drop_all()");
  const auto error = error_of(run(decide_orders(*made, Orders{order(1, 1, 1), order(1, 2, 1)})));
  EXPECT_EQ(error.fault, Fault::failing) << error.what;
  EXPECT_EQ(run(decide_orders(*made, Orders{order(1, 1, 1)})), Decisions{kAccepted});
}

// A plan that grew old in one session is no fault of a request's, and of no other session's.
TEST_F(PostgresStore, TakesAnotherSessionWhereAPlanHasGrownOld) {
  put_item(1, 10);
  const Orders orders{order(1, 1, 1)};
  EXPECT_EQ(run(decide_orders(*made, orders)), Decisions{kAccepted});
  schema->sql(
      "ALTER TABLE inventory RENAME TO old; CREATE VIEW inventory AS SELECT id::text AS id, "
      "quantity FROM old");
  EXPECT_EQ(error_of(run(decide_orders(*made, orders))).fault, Fault::failing);
  run_until([&] { return schema->connections() == 0; });
  schema->sql("DROP VIEW inventory; ALTER TABLE old RENAME TO inventory");
  EXPECT_EQ(run(decide_orders(*made, orders)), Decisions{replay(kAccepted)});
}

TEST_F(PostgresStore, IsUnavailableWithoutItsTables) {
  schema->sql("DROP TABLE inventory_ledger");
  const auto error = error_of(run(decide_orders(*made, Orders{order(1, 1, 1)})));
  EXPECT_EQ(error.fault, Fault::unavailable);
  EXPECT_THAT(error.what, HasSubstr("inventory_ledger"));
}

TEST_F(PostgresStore, WritesWhateverTheRolesDefaults) {
  put_item(1, 10);
  const auto odd =
      store(schema->options("-c default_transaction_read_only=on -c DateStyle=German "
                            "-c default_transaction_isolation=serializable"));
  EXPECT_TRUE(run(odd->ready()));
  EXPECT_EQ(run(decide_orders(*odd, Orders{order(1, 1, 1)})), Decisions{kAccepted});
}

TEST_F(PostgresStore, FindsThePortClosed) {
  auto options = schema->options();
  options.connection_string = "postgresql://user:hunter2@localhost:1/stock";
  const auto error = error_of(run(store(options)->ready()));
  EXPECT_EQ(error.fault, Fault::link_lost);
  EXPECT_THAT(error.what, HasSubstr("localhost:1/stock"));
  EXPECT_THAT(error.what, Not(HasSubstr("hunter2")));
}

TEST_F(PostgresStore, DoesNotWaitLongerThanItsDeadlineForAServerThatSaysNothing) {
  const boost::asio::ip::tcp::acceptor silent(
      loop, {boost::asio::ip::address_v4::loopback(), 0});  // accepts, and never answers
  const auto port = std::to_string(silent.local_endpoint().port());
  auto options = schema->options();
  options.connect_timeout = milliseconds(200);
  options.connection_string = "postgresql://user:hunter2@127.0.0.1:" + port + "/stock";
  const auto error = error_of(run(store(options)->ready()));
  EXPECT_EQ(error.fault, Fault::link_lost);
  EXPECT_THAT(error.what, HasSubstr("did not answer in time"));

  options.connection_string = schema->connection_string(
      "", "no-such-host.invalid,127.0.0.1," + schema->host(), "1," + port + "," + schema->port());
  options.connect_timeout = milliseconds(3'000);
  EXPECT_TRUE(run(store(options)->ready()));
}

TEST_F(PostgresStore, NamesWhatTheServerHasAgainstTheConnection) {
  auto options = schema->options();
  options.connection_string += " dbname=no_such_database password=hunter2";
  const auto error = error_of(run(store(options)->ready()));
  EXPECT_EQ(error.fault, Fault::unavailable);
  EXPECT_THAT(error.what, HasSubstr("3D000"));
  EXPECT_THAT(error.what, HasSubstr("no_such_database"));
  EXPECT_THAT(error.what, Not(HasSubstr("hunter2")));
}

TEST_F(PostgresStore, WritesNothingToStderrWhereTheServerEndsASessionThatItHasJustBegun) {
  using namespace std::string_literals;
  using boost::asio::ip::tcp;
  const std::string words =
      "SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"s;
  const std::string answer =
      "R\0\0\0\x08\0\0\0\0"s  // authenticated
      "Z\0\0\0\x05I"s         // ready for a query
      "E\0\0\0"s +
      static_cast<char>(words.size() + 4) + words;
  tcp::acceptor server(loop, {boost::asio::ip::address_v4::loopback(), 0});
  tcp::socket session(loop);
  std::array<char, 1'000> startup{};
  server.async_accept(session, [&](auto) {
    session.async_read_some(boost::asio::buffer(startup), [&](auto, auto) {
      boost::asio::write(session, boost::asio::buffer(answer));
      session.shutdown(tcp::socket::shutdown_send);
    });
  });
  auto options = schema->options();
  options.connection_string =
      fmt::format("postgresql://user@127.0.0.1:{}/stock?sslmode=disable&gssencmode=disable",
                  server.local_endpoint().port());
  const auto ending = store(options);
  testing::internal::CaptureStderr();
  const auto ready = run(ending->ready());
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(error_of(ready).fault, Fault::link_lost);
}

TEST_F(PostgresStore, KeepsNoConnectionOfACallThatWasGivenUp) {
  put_item(1, 10);
  schema->sql("BEGIN; SELECT FROM inventory WHERE id = 1 FOR UPDATE");
  const Orders orders{order(1, 1, 1)};
  {
    boost::asio::io_context given_up;
    const auto abandoned = make_postgres_store(given_up.get_executor(), schema->options());
    boost::asio::co_spawn(
        given_up, decide_orders(*abandoned, orders),
        [](const std::exception_ptr&, const Result<Decisions>&) { FAIL() << "it ended"; });
    while (schema->waiting() == 0) {
      given_up.run_one_for(milliseconds(20));
    }
  }
  schema->sql("COMMIT");
  EXPECT_EQ(run(decide_orders(*made, orders)), Decisions{kAccepted});
}

}  // namespace
}  // namespace inventory::store::postgres
