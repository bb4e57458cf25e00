// What a caller of Store::execute() relies on, whichever the adapter.

#include <algorithm>
#include <limits>

#include <gmock/gmock.h>

#include "store/testing/conformance.h"

namespace inventory::store::conformance {
namespace {

using domain::Order;
using testing::AllOf;
using testing::HasSubstr;

// Valid order ids of which some layer between the flow and the disk might make something else.
std::vector<std::string> odd_ids() {
  return {
      std::string(128, 'x'),
      "550e8400-e29b-41d4-a716-446655440000",
      "'",
      "''; DROP TABLE inventory; --",
      "\"",
      "\\",
      "\\N",
      "\\\\x41",
      "{",
      "{a,b}",
      "a,b",
      "NULL",
      "null",
      "true",
      "(1,2)",
      "[1]",
      "$1",
      "?1",
      "%",
      "%s%n",
      "_",
      "\n",
      "\r\n",
      "\t",
      " ",
      "  ",
      "a",
      "A",
      "a ",
      " a",
      "1",
      "01",
      "1.0",
      "-1",
      "i1",
      "s1",
      "opening",
      "\xF0\x9F\x91\x95",  // a shirt
      "\xC3\xA9",          // e with acute, one code point
      "e\xCC\x81",         // the same in two
      "\xC2\xA0",          // no-break space
      "\x01",
      "\x7F",
  };
}

std::vector<Order> orders_with(const std::vector<std::string>& ids, domain::ProductId product) {
  std::vector<Order> orders;
  orders.reserve(ids.size());
  for (const auto& id : ids) {
    orders.push_back(order(id, product, 1));
  }
  return orders;
}

TEST_P(Conformance, AcceptsAnOrderAndLowersTheStock) {
  migrate();
  const auto shirt = product(10);
  EXPECT_EQ(decide({order(1, shirt, 3)}), OrderDecisions{kAccepted});
  EXPECT_EQ(database_->on_hand(shirt), 7);
  EXPECT_EQ(database_->ledger_sum(shirt), 7);
}

TEST_P(Conformance, SellsTheLastPieceAndThenRejects) {
  migrate();
  const auto shirt = product(10);
  EXPECT_EQ(decide({order(1, shirt, 10), order(2, shirt, 1)}),
            (OrderDecisions{kAccepted, kNotEnough}));
  EXPECT_EQ(database_->on_hand(shirt), 0);
}

TEST_P(Conformance, RejectsAnOrderForAProductThatDoesNotExist) {
  migrate();
  const auto shirt = product(10);
  EXPECT_EQ(decide({order(1, shirt + 1, 1), order(2, kMax, 1)}),
            (OrderDecisions{kNotFound, kNotFound}));
  EXPECT_EQ(database_->on_hand(shirt + 1), std::nullopt);
  EXPECT_EQ(database_->ledger_sum(shirt + 1), 0);
}

TEST_P(Conformance, KeepsARejectionThoughTheProductOrTheStockComesLater) {
  migrate();
  const auto shirt = product(1);
  EXPECT_EQ(decide({order(1, shirt, 2), order(1, shirt + 1, 2)}),
            (OrderDecisions{kNotEnough, kNotFound}));
  const auto next = product(5);
  EXPECT_EQ(
      decide({order(1, shirt, 2), order(1, next, 2)}),
      (OrderDecisions{replay(kNotEnough), next == shirt + 1 ? replay(kNotFound) : kAccepted}));
}

TEST_P(Conformance, GivesTheStoredAnswerToAnOrderThatComesAgain) {
  migrate();
  const auto shirt = product(10);
  const std::vector orders{order(1, shirt, 3), order(2, shirt, 8), order(3, kMax, 1)};
  EXPECT_EQ(decide(orders), (OrderDecisions{kAccepted, kNotEnough, kNotFound}));
  const OrderDecisions again{replay(kAccepted), replay(kNotEnough), replay(kNotFound)};
  EXPECT_EQ(decide(orders), again);
  reopen();
  EXPECT_EQ(decide(orders), again);
  EXPECT_EQ(database_->on_hand(shirt), 7);
  EXPECT_EQ(database_->ledger_sum(shirt), 7);
}

TEST_P(Conformance, DecidesADuplicateWithinABatchOnce) {
  migrate();
  const auto shirt = product(10);
  EXPECT_EQ(decide({order(1, shirt, 3), order(2, shirt, 3), order(1, shirt, 3)}),
            (OrderDecisions{kAccepted, kAccepted, replay(kAccepted)}));
  EXPECT_EQ(database_->on_hand(shirt), 4);
}

TEST_P(Conformance, RejectsAnotherQuantityUnderAKnownIdentityAndStoresNothing) {
  migrate();
  const auto shirt = product(10);
  const auto first = decide({order(1, shirt, 3), order(1, shirt, 4)});
  EXPECT_EQ(first[1].conflicts_with, 3);
  const auto second = decide({order(1, shirt, 5), order(1, shirt, 3)});
  EXPECT_EQ(second[0].conflicts_with, 3);
  EXPECT_FALSE(second[0].replayed);
  EXPECT_EQ(second[1], replay(kAccepted));
  EXPECT_EQ(database_->on_hand(shirt), 7);
  EXPECT_EQ(database_->ledger_sum(shirt), 7);
}

TEST_P(Conformance, TellsAnIntegerOrderIdFromTheStringOfItsDigits) {
  migrate();
  const auto shirt = product(10);
  EXPECT_EQ(decide({order(42, shirt, 1), order("42", shirt, 1)}),
            (OrderDecisions{kAccepted, kAccepted}));
  EXPECT_EQ(decide({order("42", shirt, 1), order(42, shirt, 1)}),
            (OrderDecisions{replay(kAccepted), replay(kAccepted)}));
}

TEST_P(Conformance, TreatsOneOrderIdOnTwoProductsAsTwoOrders) {
  migrate();
  const auto shirt = product(1);
  const auto sock = product(1);
  EXPECT_EQ(decide({order(1, shirt, 1), order(1, sock, 1)}),
            (OrderDecisions{kAccepted, kAccepted}));
}

TEST_P(Conformance, KeepsOddOrderIdsApartAndKnowsThemAgain) {
  migrate();
  const auto orders = orders_with(odd_ids(), product(1'000));
  EXPECT_EQ(decide(orders), OrderDecisions(orders.size(), kAccepted));
  reopen();
  EXPECT_EQ(decide(orders), OrderDecisions(orders.size(), replay(kAccepted)));
  // One at a time as well: a batch of one may take another way.
  for (const auto& each : orders) {
    EXPECT_EQ(decide({each}), OrderDecisions{replay(kAccepted)}) << each.id.display();
  }
}

TEST_P(Conformance, DecidesTheOrdersOfOneProductInTheirOrder) {
  migrate();
  const auto shirt = product(10);
  EXPECT_EQ(
      decide({order(9, shirt, 6), order(8, shirt, 5), order(7, shirt, 4), order(6, shirt, 1)}),
      (OrderDecisions{kAccepted, kNotEnough, kAccepted, kNotEnough}));
}

TEST_P(Conformance, ReturnsDecisionsInTheOrderOfTheOrdersWhateverTheirKeys) {
  migrate();
  const auto shirt = product(2);
  const auto sock = product(2);
  EXPECT_EQ(decide({order("z", sock, 2), order("a", kMax, 1), order("m", shirt, 3),
                    order("b", sock, 1), order("a", shirt, 2)}),
            (OrderDecisions{kAccepted, kNotFound, kNotEnough, kNotEnough, kAccepted}));
}

TEST_P(Conformance, AnswersAnEmptyBatchWithNothing) {
  migrate();
  EXPECT_EQ(decide(std::span<const Order>()), OrderDecisions());
}

TEST_P(Conformance, DecidesABatchOfTheLargestSize) {
  migrate();
  const auto shirt = product(kBatchMax - 1);
  std::vector<Order> orders;
  orders.reserve(kBatchMax);
  for (std::size_t i = 0; i < kBatchMax; ++i) {
    orders.push_back(order(static_cast<std::int64_t>(i), shirt, 1));
  }
  OrderDecisions expected(kBatchMax, kAccepted);
  expected.back() = kNotEnough;
  EXPECT_EQ(decide(orders), expected);
  EXPECT_EQ(database_->on_hand(shirt), 0);
  EXPECT_EQ(database_->ledger_sum(shirt), 0);
}

TEST_P(Conformance, TakesTheLargestNumbersOfTheContract) {
  migrate();
  const auto shirt = product(kMax);
  const std::vector orders{order(kMax, shirt, kMax), order(-kMax, shirt, kMax),
                           order(kMax, kMax, kMax)};
  EXPECT_EQ(decide(orders), (OrderDecisions{kAccepted, kNotEnough, kNotFound}));
  EXPECT_EQ(database_->on_hand(shirt), 0);
  reopen();
  EXPECT_EQ(decide(orders),
            (OrderDecisions{replay(kAccepted), replay(kNotEnough), replay(kNotFound)}));
}

TEST_P(Conformance, AddsItemsWhileOrdersAreDecided) {
  migrate();
  const auto shirt = product(100);
  for (std::int64_t round = 0; round < 20; ++round) {
    const std::vector orders{order(round, shirt, 2), order(round, shirt + 1 + round, 1)};
    const std::vector<domain::NewItem> items{{std::nullopt, 3, "a sock", {}}};
    auto decided = start(decide_orders(*store_, orders));
    auto added = start(add_items(*store_, items));
    const auto decisions = finish(decided);
    const auto new_items = finish(added);
    ASSERT_TRUE(decisions) << decisions.error().what;
    ASSERT_TRUE(new_items) << new_items.error().what;
    EXPECT_EQ(decisions->at(0), kAccepted);
    const auto id = new_items->at(0).item.id;
    EXPECT_EQ(database_->on_hand(id), database_->ledger_sum(id));
  }
  EXPECT_EQ(database_->on_hand(shirt), 60);
  EXPECT_EQ(database_->ledger_sum(shirt), 60);
}

// ---- one bad row costs the requests for it

// `orders` fail, for these products where that is known, and nothing is written.
void expect_failing(TestDatabase& database, const Result<OrderDecisions>& decided,
                    const std::vector<domain::ProductId>& products, domain::ProductId shirt) {
  ASSERT_FALSE(decided);
  EXPECT_EQ(decided.error().fault, Fault::failing) << decided.error().what;
  EXPECT_EQ(decided.error().products, products) << decided.error().what;
  EXPECT_EQ(database.on_hand(shirt), 10);
  EXPECT_EQ(database.ledger_sum(shirt), 10);
}

TEST_P(Conformance, FailsForAProductWhoseRowATriggerHoldsAndForNoOther) {
  migrate();
  const auto shirt = product(10);
  const auto sock = product(10);
  database_->meddle_with_updates(Meddling::refuse, shirt);
  const std::vector orders{order(1, sock, 1), order(2, shirt, 1), order(3, sock, 1)};
  expect_failing(*database_, run(decide_orders(*store_, orders)), {}, shirt);
  // As the service halves the batch.
  const std::span all(orders);
  EXPECT_EQ(decide(all.first(1)), OrderDecisions{kAccepted});
  expect_failing(*database_, run(decide_orders(*store_, all.subspan(1, 1))), {}, shirt);
  EXPECT_EQ(decide(all.subspan(2)), OrderDecisions{kAccepted});
  EXPECT_EQ(decide({order(4, shirt, 11)}), OrderDecisions{kNotEnough});  // which updates nothing
  database_->execute(GetParam().name == "Sqlite" ? "DROP TRIGGER meddling"
                                                 : "DROP TRIGGER meddling ON inventory");
  EXPECT_EQ(decide(all), (OrderDecisions{replay(kAccepted), kAccepted, replay(kAccepted)}));
}

TEST_P(Conformance, TriesAnotherProductAndWritesNothing) {
  migrate();
  const auto shirt = product(10);
  const auto sock = product(10);
  EXPECT_TRUE(run(store_->try_another(std::vector{shirt})));
  EXPECT_FALSE(run(store_->try_another(std::vector{shirt, sock}))) << "there is no other";
  database_->meddle_with_updates(Meddling::refuse, sock);
  reopen();
  EXPECT_TRUE(run(store_->try_another(std::vector{sock})));
  const auto tried = run(store_->try_another(std::vector{shirt}));
  ASSERT_FALSE(tried);
  EXPECT_EQ(tried.error().fault, Fault::failing) << tried.error().what;
  EXPECT_EQ(database_->on_hand(shirt), 10);
  EXPECT_EQ(database_->ledger_sum(shirt), 10);
  EXPECT_EQ(database_->on_hand(sock), 10);
  EXPECT_EQ(decide({order(1, shirt, 10)}), OrderDecisions{kAccepted});
  EXPECT_TRUE(run(store_->try_another(std::vector{sock}))) << "though it is out of stock";
  EXPECT_EQ(database_->on_hand(shirt), 0);
}

TEST_P(Conformance, NamesTheProductWhoseUpdateATriggerSwallows) {
  migrate();
  const auto shirt = product(10);
  const auto sock = product(10);
  EXPECT_EQ(decide({order(1, sock, 1)}), OrderDecisions{kAccepted});
  database_->meddle_with_updates(Meddling::swallow, shirt);
  const std::vector orders{order(2, sock, 1), order(3, shirt, 6), order(4, shirt, 3)};
  const auto decided = run(decide_orders(*store_, orders));
  expect_failing(*database_, decided, {shirt}, shirt);
  EXPECT_THAT(decided.error().what, HasSubstr("trigger"));
  EXPECT_EQ(decide({orders[0]}), OrderDecisions{kAccepted});
  EXPECT_EQ(database_->on_hand(sock), 8);
}

TEST_P(Conformance, NamesTheProductWhoseUpdateATriggerOverwrites) {
  migrate();
  const auto shirt = product(10);
  database_->meddle_with_updates(Meddling::overwrite, shirt);
  const std::vector orders{order(1, shirt, 6)};
  expect_failing(*database_, run(decide_orders(*store_, orders)), {shirt}, shirt);
  expect_failing(*database_, run(decide_orders(*store_, orders, Locks::skip)), {shirt}, shirt);
}

TEST_P(Conformance, NamesTheRowOfALedgerThatNoOrderCanHave) {
  migrate();
  const auto shirt = product(10);
  const auto sock = product(10);
  const auto insert = [&](const std::string& identity, const std::string& values) {
    database_->execute(
        "INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta, decided_at) "
        "VALUES (" +
        std::to_string(shirt) + ", '" + identity + "', " + values + ", '2030-01-01 00:00:00')");
  };
  insert("i777", "'opening', 2, 0");
  insert("stock count", "'opening', 2, 0");  // which is the identity of the order id "tock count"
  insert("i778", "'accepted', 0, 0");
  insert("i779", "'accepted', 2, 0");
  insert("i780", "'not_enough_stock', 9007199254740992, 0");
  for (const auto& [id, column] :
       {std::pair{order(777, shirt, 2), "outcome"},
        std::pair{order("tock count", shirt, 2), "outcome"},
        std::pair{order(778, shirt, 2), "quantity"}, std::pair{order(779, shirt, 2), "delta"},
        std::pair{order(780, shirt, 2), "quantity"}}) {
    const std::vector orders{order(1, sock, 1), id};
    const auto decided = run(decide_orders(*store_, orders));
    expect_failing(*database_, decided, {shirt}, shirt);
    EXPECT_THAT(decided.error().what,
                AllOf(HasSubstr("inventory_ledger"), HasSubstr(id.id.ledger_identity()),
                      HasSubstr(std::to_string(shirt)), HasSubstr(column)));
  }
  EXPECT_EQ(decide({order(1, sock, 1), order(2, shirt, 1)}),
            (OrderDecisions{kAccepted, kAccepted}));
}

TEST_P(Conformance, NamesTheRowOfAnItemWhoseQuantityIsNoStock) {
  migrate();
  const auto shirt = product(10);
  const auto sock = product(10);
  database_->execute("UPDATE inventory SET quantity = 9007199254740992 WHERE id = " +
                     std::to_string(sock));
  const std::vector orders{order(1, shirt, 1), order(2, sock, 1)};
  const auto decided = run(decide_orders(*store_, orders));
  expect_failing(*database_, decided, {sock}, shirt);
  EXPECT_THAT(decided.error().what,
              AllOf(HasSubstr("table inventory,"), HasSubstr("id " + std::to_string(sock)),
                    HasSubstr("quantity is 9007199254740992")));
}

TEST_P(Conformance, DecidesAlikeWhetherItWaitsForLocksOrSkips) {
  migrate();
  const auto shirt = product(3);
  const std::vector orders{order(1, shirt, 2), order(2, shirt, 2), order(3, shirt + 1, 1)};
  const auto decided = run(decide_orders(*store_, orders, Locks::skip));
  ASSERT_TRUE(decided) << decided.error().what;
  EXPECT_EQ(*decided, (OrderDecisions{kAccepted, kNotEnough, kNotFound}));
  EXPECT_EQ(database_->on_hand(shirt), 1);
  const auto again = run(decide_orders(*store_, orders, Locks::skip));
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(*again, (OrderDecisions{replay(kAccepted), replay(kNotEnough), replay(kNotFound)}));
}

}  // namespace
}  // namespace inventory::store::conformance
