// Each statement of a batch, failing in turn in each way: the store says what to do about it, and
// nothing was written.

#include <array>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/postgres/testing/store_fixture.h"

namespace inventory::store::postgres {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

struct Failure {
  std::string what;  // what the statement runs into, in PL/pgSQL
  const char* says;
  Fault fault;
};

Failure raise(const char* using_, Fault fault) {
  return {fmt::format("RAISE EXCEPTION USING MESSAGE = 'on purpose', {}", using_), "on purpose",
          fault};
}

const std::array kFailures{
    raise("ERRCODE = '40001'", Fault::retryable),  // serialization failure
    raise("ERRCODE = '40P01'", Fault::retryable),  // deadlock
    raise("ERRCODE = '23505', CONSTRAINT = 'inventory_ledger_pkey'", Fault::retryable),
    raise("ERRCODE = '55P03'", Fault::locked),  // lock timeout
    raise("ERRCODE = '23505', CONSTRAINT = 'of_the_owner'", Fault::refused),
    raise("ERRCODE = '23514'", Fault::refused),  // a CHECK
    raise("ERRCODE = '23P01'", Fault::refused),  // an EXCLUDE
    raise("ERRCODE = '54000'", Fault::refused),  // too long for an index
    raise("ERRCODE = 'P0001'", Fault::failing),  // any other trigger's
    raise("ERRCODE = '23503'", Fault::failing),  // a foreign key
    raise("ERRCODE = '42501'", Fault::failing),  // not allowed
    raise("ERRCODE = '57014'", Fault::failing),  // statement timeout, cancelled
    raise("ERRCODE = 'XX001'", Fault::failing),  // a damaged block
    raise("ERRCODE = '57P01'", Fault::failing),  // a trigger that says that the server stops,
    raise("ERRCODE = '53100'", Fault::failing),  // is full,
    raise("ERRCODE = '08006'", Fault::failing),  // or has lost a link
    // What the server itself tells a function is of the row that this was called for.
    Failure{"PERFORM set_config('transaction_read_only', 'on', true); DELETE FROM "
            "inventory_migration WHERE version = -1",
            "25006", Fault::failing},
};

// Where it fails: `arm` makes the statement call fail(), `disarm` takes that back.
struct Place {
  const char* name;
  std::string arm;
  std::string disarm;
};

// A statement that reads a table: it reads a view instead, which calls fail() for each row.
Place reading(const char* table) {
  return {table,
          fmt::format("ALTER TABLE {0} RENAME TO hidden; CREATE VIEW {0} AS SELECT * FROM hidden "
                      "WHERE fail() IS NULL",
                      table),
          fmt::format("DROP VIEW {0}; ALTER TABLE hidden RENAME TO {0}", table)};
}

Place writing(const char* event, const char* table) {
  return {event,
          fmt::format("CREATE TRIGGER failing BEFORE {} ON {} EXECUTE FUNCTION fail_trigger()",
                      event, table),
          fmt::format("DROP TRIGGER failing ON {}", table)};
}

Place committing(const char* table) {
  return {"COMMIT",
          fmt::format("CREATE CONSTRAINT TRIGGER failing AFTER INSERT ON {} DEFERRABLE INITIALLY "
                      "DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_trigger()",
                      table),
          fmt::format("DROP TRIGGER failing ON {}", table)};
}

class StatementFaults : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (!schema) {
      return;
    }
    made = migrated_store();
    const auto added = run(add_items(*made, Items{item("first", 10)}));
    ASSERT_TRUE(added) << added.error().what;
    shirt = added->front().item.id;
    // An order that is decided already, so that reading earlier decisions finds a row.
    ASSERT_EQ(run(decide_orders(*made, Orders{order(0, shirt, 1)})), Decisions{kAccepted});
  }

  void set_failure(const Failure& failure) {
    schema->sql(fmt::format(
        "CREATE OR REPLACE FUNCTION fail() RETURNS text LANGUAGE plpgsql VOLATILE AS $$ BEGIN "
        "{0}; END $$;"
        "CREATE OR REPLACE FUNCTION fail_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "{0}; END $$",
        failure.what));
  }

  // All that the tables hold.
  std::string contents() {
    return schema->sql(
        "SELECT concat((SELECT array_agg(i ORDER BY id) FROM inventory i), (SELECT array_agg(l "
        "ORDER BY product_id, identity) FROM inventory_ledger l), (SELECT array_agg(r ORDER BY "
        "identity) FROM inventory_item_request r))");
  }

  // `call` makes the batch; it must fail at each place, in each way, and pass in the end.
  template <class Call>
  void fail_everywhere(const std::vector<Place>& places, Call call) {
    const auto before = contents();
    for (const Place& place : places) {
      for (const Failure& failure : kFailures) {
        SCOPED_TRACE(fmt::format("{}: {}", place.name, failure.what));
        set_failure(failure);
        schema->sql(place.arm);
        const auto result = run(call());
        schema->sql(place.disarm);
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().fault, failure.fault) << result.error().what;
        EXPECT_THAT(result.error().what, HasSubstr(failure.says));
        EXPECT_EQ(contents(), before) << "something was written";
        EXPECT_TRUE(run(made->ready())) << "it does not go on";
      }
    }
    const auto result = run(call());
    EXPECT_TRUE(result) << result.error().what;
    EXPECT_NE(contents(), before);
    EXPECT_EQ(schema->connections(), 1) << "connections were left behind";
  }

  std::unique_ptr<Store> made;
  domain::ProductId shirt = 0;
};

TEST_F(StatementFaults, WritesNoOrderWhicheverStatementFailsHoweverItDoes) {
  const Orders orders{order(0, shirt, 1), order(1, shirt, 2), order(2, shirt + 1, 1)};
  fail_everywhere(
      {reading("inventory"), reading("inventory_ledger"), writing("UPDATE", "inventory"),
       writing("INSERT", "inventory_ledger"), committing("inventory_ledger")},
      [&] { return decide_orders(*made, orders); });
  EXPECT_EQ(run(decide_orders(*made, orders)),
            (Decisions{replay(kAccepted), replay(kAccepted), replay(kNotFound)}));
  EXPECT_EQ(schema->on_hand(shirt), 7);
  EXPECT_EQ(schema->ledger_sum(shirt), 7);
}

TEST_F(StatementFaults, WritesNothingOfAnyKindWhicheverStatementFailsHoweverItDoes) {
  const auto added = run(add_items(*made, Items{item("second", 10)}));
  ASSERT_TRUE(added) << added.error().what;
  const auto sock = added->front().item.id;
  const std::vector<domain::Command> commands{
      domain::Basket{.id = domain::OrderId(1), .items = {{shirt, 2}, {sock, 1}}},
      domain::Cancellation{.id = domain::OrderId(0), .items = {{shirt, 1}}},
      domain::Adjustment{.id = domain::OrderId(1), .product = sock, .set_to = 20}};
  fail_everywhere(
      {reading("inventory"), reading("inventory_ledger"), writing("UPDATE", "inventory"),
       writing("INSERT", "inventory_ledger"), committing("inventory_ledger")},
      [&] { return made->execute(commands, Locks::wait); });
  const auto again = run(made->execute(commands, Locks::wait));
  ASSERT_TRUE(again) << again.error().what;
  for (const auto& decision : *again) EXPECT_TRUE(domain::is_replayed(decision));
  EXPECT_EQ(schema->on_hand(shirt), 8);
  EXPECT_EQ(schema->on_hand(sock), 20);
  EXPECT_EQ(schema->ledger_sum(shirt), 8);
  EXPECT_EQ(schema->ledger_sum(sock), 20);
}

TEST_F(StatementFaults, AddsNoItemWhicheverStatementFailsHoweverItDoes) {
  const Items items{item("first", 10), item("m1", 5), item({}, 6)};
  fail_everywhere(
      {reading("inventory_item_request"), writing("INSERT", "inventory"),
       writing("INSERT", "inventory_ledger"), writing("INSERT", "inventory_item_request"),
       committing("inventory_item_request")},
      [&] { return add_items(*made, items); });
  EXPECT_EQ(schema->sql("SELECT count(*) FROM inventory"), "3");
  EXPECT_EQ(schema->sql("SELECT count(*) FROM inventory_item_request"), "2");
}

// ---- the same from the server itself

class ServerFaults : public StatementFaults {
 protected:
  // Another session holds the item's lock, until COMMIT.
  void hold_the_shirt() {
    schema->sql(fmt::format("BEGIN; SELECT FROM inventory WHERE id = {} FOR UPDATE", shirt));
  }

  Error error_of(const Result<Decisions>& result) {
    EXPECT_FALSE(result);
    return result ? Error{Fault::refused, "it succeeded"} : result.error();
  }

  // Once nothing is in the way any more.
  void expect_nothing_written_and_a_fresh_decision(const Orders& orders) {
    EXPECT_EQ(schema->on_hand(shirt), 9);
    EXPECT_EQ(schema->ledger_sum(shirt), 9);
    EXPECT_EQ(run(decide_orders(*made, orders)), Decisions{kAccepted});
  }
};

// One row's trigger may be what takes so long, or what a person cancels.
TEST_F(ServerFaults, IsFailingWhereAStatementTakesTooLong) {
  auto options = schema->options();
  options.statement_timeout = milliseconds(100);
  made = store(options);
  hold_the_shirt();
  const Orders orders{order(1, shirt, 1)};
  const auto error = error_of(run(decide_orders(*made, orders)));
  EXPECT_EQ(error.fault, Fault::failing);
  EXPECT_THAT(error.what, HasSubstr("57014"));
  schema->sql("COMMIT");
  made = store(schema->options());
  expect_nothing_written_and_a_fresh_decision(orders);
}

TEST_F(ServerFaults, IsFailingWhereAnOperatorCancelsTheStatement) {
  hold_the_shirt();
  const Orders orders{order(1, shirt, 1)};
  auto decided = start(decide_orders(*made, orders));
  run_until([&] { return schema->waiting() == 1; });
  schema->sql(fmt::format(
      "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = '{}'",
      schema->name()));
  const auto error = error_of(finish(std::move(decided)));
  EXPECT_EQ(error.fault, Fault::failing);
  EXPECT_THAT(error.what, HasSubstr("57014"));
  schema->sql("COMMIT");
  expect_nothing_written_and_a_fresh_decision(orders);
}

TEST_F(ServerFaults, MayBeAskedAgainAfterADeadlockWithAnotherProgram) {
  const auto added = run(add_items(*made, Items{item("second", 10)}));
  ASSERT_TRUE(added) << added.error().what;
  const auto sock = added->front().item.id;
  // Who looks for the deadlock is its victim: the store looks, the other program does not.
  made = store(schema->options("-c deadlock_timeout=1s"));
  schema->sql(
      fmt::format("SET deadlock_timeout = '1h'; BEGIN; SELECT FROM inventory WHERE id = {} "
                  "FOR UPDATE",
                  sock));
  const Orders orders{order(1, shirt, 1), order(2, sock, 1)};
  auto decided = start(decide_orders(*made, orders));
  run_until([&] { return schema->waiting() == 1; });
  schema->sql(fmt::format("SELECT FROM inventory WHERE id = {} FOR UPDATE; COMMIT", shirt));
  EXPECT_EQ(error_of(finish(std::move(decided))).fault, Fault::retryable);
  EXPECT_EQ(schema->on_hand(shirt), 9);
  EXPECT_EQ(schema->on_hand(sock), 10);
  EXPECT_EQ(run(decide_orders(*made, orders)), (Decisions{kAccepted, kAccepted}));
}

}  // namespace
}  // namespace inventory::store::postgres
