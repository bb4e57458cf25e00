#include "domain/order.h"

#include <random>
#include <set>

#include <gtest/gtest.h>

#include "domain/testing/memory_tables.h"

namespace inventory::domain {
namespace {

Order order(std::int64_t id, ProductId product, Quantity quantity) {
  return {OrderId(id), product, quantity};
}

const OrderDecision kAccepted{.outcome = Outcome::accepted};
const OrderDecision kNotEnough{.outcome = Outcome::not_enough_stock};
const OrderDecision kNotFound{.outcome = Outcome::product_not_found};

OrderDecision replay(OrderDecision decision) {
  decision.replayed = true;
  return decision;
}

std::vector<OrderDecision> decide_with(MemoryTables& tables, const std::vector<Order>& orders) {
  return tables.decide_orders(std::span(orders));
}

TEST(DecideOrders, LowersStockByTheQuantityOfAnAcceptedOrder) {
  MemoryTables tables{.stock = {{7, {10, 3}}}};
  EXPECT_EQ(decide_with(tables, {order(1, 7, 3)}), std::vector{kAccepted});
  EXPECT_EQ(tables.stock.at(7), (Stock{7, 4}));
  EXPECT_EQ(tables.ledger.at({7, "i1"}), (LedgerEntry{{7, "i1"}, Outcome::accepted, 3, -3, 7, 4}));
}

TEST(DecideOrders, SellsTheLastPieceAndThenRejects) {
  MemoryTables tables{.stock = {{7, {10}}}};
  EXPECT_EQ(decide_with(tables, {order(1, 7, 10), order(2, 7, 1)}),
            (std::vector{kAccepted, kNotEnough}));
  EXPECT_EQ(tables.stock.at(7).quantity, 0);
}

TEST(DecideOrders, LetsASmallerOrderPassAfterALargerOneWasRejected) {
  MemoryTables tables{.stock = {{7, {10}}}};
  EXPECT_EQ(decide_with(tables, {order(1, 7, 11), order(2, 7, 10)}),
            (std::vector{kNotEnough, kAccepted}));
}

TEST(DecideOrders, KeepsARejectionInTheLedgerWithWhatThereWas) {
  MemoryTables tables{.stock = {{7, {10}}}};
  EXPECT_EQ(decide_with(tables, {order(1, 7, 11), order(2, 8, 1)}),
            (std::vector{kNotEnough, kNotFound}));
  EXPECT_EQ(tables.stock.at(7), (Stock{10, 0}));
  EXPECT_EQ(tables.ledger.at({7, "i1"}),
            (LedgerEntry{{7, "i1"}, Outcome::not_enough_stock, 11, 0, 10, 0}));
  EXPECT_EQ(tables.ledger.at({8, "i2"}),
            (LedgerEntry{{8, "i2"}, Outcome::product_not_found, 1, 0}));
}

TEST(DecideOrders, RepeatsTheEarlierOutcomeEvenIfStockWouldNowAllowAnother) {
  MemoryTables tables{.stock = {{7, {2}}}};
  decide_with(tables, {order(1, 7, 3)});
  tables.stock[7] = {10};
  EXPECT_EQ(decide_with(tables, {order(1, 7, 3)}), std::vector{replay(kNotEnough)});
  EXPECT_EQ(tables.stock.at(7), Stock{10});
}

TEST(DecideOrders, DecidesADuplicateWithinABatchOnce) {
  MemoryTables tables{.stock = {{7, {10}}}};
  EXPECT_EQ(decide_with(tables, {order(1, 7, 3), order(1, 7, 3)}),
            (std::vector{kAccepted, replay(kAccepted)}));
  EXPECT_EQ(tables.stock.at(7).quantity, 7);
}

TEST(DecideOrders, NamesTheEarlierQuantityOfAConflict) {
  MemoryTables tables{.stock = {{7, {10}}}};
  decide_with(tables, {order(1, 7, 3)});
  const auto decisions = decide_with(tables, {order(1, 7, 4), order(2, 7, 1), order(2, 7, 2)});
  EXPECT_EQ(decisions[0].conflicts_with, 3);
  EXPECT_FALSE(decisions[0].replayed);
  EXPECT_EQ(outcome_of(decisions[0]), Outcome::conflict);
  EXPECT_EQ(decisions[2].conflicts_with, 1);
  EXPECT_EQ(tables.ledger.size(), 2U);
}

TEST(DecideOrders, TellsAnIntegerOrderIdFromTheStringOfItsDigits) {
  MemoryTables tables{.stock = {{7, {10}}}};
  const Order with_text{OrderId("42"), 7, 1};
  EXPECT_EQ(decide_with(tables, {order(42, 7, 1), with_text, with_text}),
            (std::vector{kAccepted, kAccepted, replay(kAccepted)}));
}

TEST(DecideOrders, TellsLinesOfOneOrderForOneProductApart) {
  MemoryTables tables{.stock = {{7, {10}}}};
  const auto decisions = decide_with(
      tables, {Order{OrderId(1), 7, 2}, Order{OrderId(1), 7, 2, OrderId(1)},
               Order{OrderId(1), 7, 2, OrderId("1")}, Order{OrderId(1), 7, 2, OrderId("1")},
               Order{OrderId(1), 7, 3, OrderId(1)}});
  EXPECT_EQ(decisions[2], kAccepted);
  EXPECT_EQ(decisions[3], replay(kAccepted));
  EXPECT_EQ(decisions[4].conflicts_with, 2);
  EXPECT_EQ(tables.stock.at(7).quantity, 4);
}

// Without a line, two lines of an order for one product look like one that is repeated.
TEST(DecideOrders, SaysWhereAReplayMayBeAnotherLineOfTheOrder) {
  MemoryTables tables{.stock = {{7, {10}}}};
  Order first = order(1, 7, 1);
  first.message_hash = stable_hash("m1");
  Order other = first;
  other.message_hash = stable_hash("m2");
  Order without = first;
  without.message_hash = std::nullopt;
  const auto decisions = decide_with(tables, {first, first, other, without});
  EXPECT_FALSE(decisions[1].may_be_another_line);
  EXPECT_TRUE(decisions[2].may_be_another_line);
  EXPECT_EQ(decisions[2].outcome, Outcome::accepted);
  EXPECT_TRUE(decisions[2].replayed);
  EXPECT_FALSE(decisions[3].may_be_another_line);
  first.line = other.line = OrderId(1);
  EXPECT_FALSE(decide_with(tables, {first, other})[1].may_be_another_line);
}

// A text may hold anything, also what looks like another identity.
TEST(Order, HasAnIdentityThatNoOtherOrderHas) {
  const std::vector<OrderId> ids{OrderId(1),         OrderId(12),     OrderId("1"),
                                 OrderId("i1"),      OrderId("2:i1"), OrderId("l2:i1"),
                                 OrderId("l2:i1i1"), OrderId(":"),    OrderId(-1),
                                 OrderId("s"),       OrderId("ss")};
  std::set<std::string> identities;
  for (const OrderId& id : ids) {
    identities.insert(Order{id, 1, 1}.ledger_identity());
    EXPECT_EQ((Order{id, 1, 1}.ledger_identity()), id.ledger_identity());
    for (const OrderId& line : ids) {
      const auto identity = Order{id, 1, 1, line}.ledger_identity();
      EXPECT_TRUE(identity.starts_with('l')) << identity;
      identities.insert(identity);
    }
  }
  EXPECT_EQ(identities.size(), ids.size() * (ids.size() + 1));
  EXPECT_EQ((Order{OrderId("A-17"), 1, 1, OrderId(10)}.ledger_identity()), "l3:i10sA-17");
}

TEST(DecideOrders, TreatsOneOrderIdOnTwoProductsAsTwoOrders) {
  MemoryTables tables{.stock = {{7, {1}}, {8, {1}}}};
  EXPECT_EQ(decide_with(tables, {order(1, 7, 1), order(1, 8, 1)}),
            (std::vector{kAccepted, kAccepted}));
}

// Any batch, however it is cut, must give what one order at a time gives.
TEST(DecideOrders, GivesTheSameDecisionsHoweverTheRequestsAreCutIntoBatches) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    std::vector<Order> orders;
    orders.reserve(60);
    for (int i = 0; i < 60; ++i) {
      orders.push_back(order(random() % 30, random() % 4 + 1, random() % 3 + 1));
    }
    const auto run = [&](std::size_t batch_size) {
      MemoryTables tables{.stock = {{1, {12}}, {2, {5}}, {3, {0}}}};
      std::vector<OrderDecision> decisions;
      for (std::size_t begin = 0; begin < orders.size(); begin += batch_size) {
        const auto batch = std::span(orders).subspan(begin, std::min(batch_size, 60 - begin));
        for (const auto& decision : tables.decide_orders(batch)) decisions.push_back(decision);
        for (const auto& [product, stock] : tables.stock) EXPECT_GE(stock.quantity, 0);
      }
      return decisions;
    };
    EXPECT_EQ(run(1), run(7)) << "seed " << seed;
    EXPECT_EQ(run(1), run(60)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace inventory::domain
