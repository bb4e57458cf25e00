#include "domain/decide_orders.h"

#include <random>
#include <set>

#include <gtest/gtest.h>

namespace inventory::domain {
namespace {

Order order(std::int64_t id, ProductId product, Quantity quantity) {
  return {OrderId(id), product, quantity};
}

const OrderDecision kAccepted{.verdict = Verdict::accepted};
const OrderDecision kNotEnough{.verdict = Verdict::not_enough_stock};
const OrderDecision kNotFound{.verdict = Verdict::product_not_found};

OrderDecision replay(OrderDecision decision) {
  decision.replayed = true;
  return decision;
}

TEST(DecideOrders, LowersStockByTheQuantityOfAnAcceptedOrder) {
  const std::vector orders{order(1, 7, 3)};
  const auto outcome = decide_orders(orders, {.on_hand = {{7, 10}}, .decisions = {}});
  EXPECT_EQ(outcome.decisions, std::vector{kAccepted});
  EXPECT_EQ(outcome.changed_stock, (std::vector<std::pair<ProductId, Quantity>>{{7, 7}}));
  EXPECT_EQ(outcome.new_entries, (std::vector<LedgerEntry>{{{7, "i1"}, Verdict::accepted, 3, -3}}));
}

TEST(DecideOrders, SellsTheLastPieceAndThenRejects) {
  const std::vector orders{order(1, 7, 10), order(2, 7, 1)};
  const auto outcome = decide_orders(orders, {.on_hand = {{7, 10}}, .decisions = {}});
  EXPECT_EQ(outcome.decisions, (std::vector{kAccepted, kNotEnough}));
  EXPECT_EQ(outcome.changed_stock, (std::vector<std::pair<ProductId, Quantity>>{{7, 0}}));
}

TEST(DecideOrders, LetsASmallerOrderPassAfterALargerOneWasRejected) {
  const std::vector orders{order(1, 7, 11), order(2, 7, 10)};
  const auto outcome = decide_orders(orders, {.on_hand = {{7, 10}}, .decisions = {}});
  EXPECT_EQ(outcome.decisions, (std::vector{kNotEnough, kAccepted}));
}

TEST(DecideOrders, KeepsARejectionInTheLedgerWithoutTouchingStock) {
  const std::vector orders{order(1, 7, 11), order(2, 8, 1)};
  const auto outcome = decide_orders(orders, {.on_hand = {{7, 10}}, .decisions = {}});
  EXPECT_EQ(outcome.decisions, (std::vector{kNotEnough, kNotFound}));
  EXPECT_TRUE(outcome.changed_stock.empty());
  EXPECT_EQ(outcome.new_entries,
            (std::vector<LedgerEntry>{{{7, "i1"}, Verdict::not_enough_stock, 11, 0},
                                      {{8, "i2"}, Verdict::product_not_found, 1, 0}}));
}

TEST(DecideOrders, RepeatsTheEarlierVerdictEvenIfStockWouldNowAllowAnother) {
  const std::vector orders{order(1, 7, 3)};
  const auto outcome = decide_orders(
      orders, {.on_hand = {{7, 10}}, .decisions = {{{7, "i1"}, {Verdict::not_enough_stock, 3}}}});
  EXPECT_EQ(outcome.decisions, std::vector{replay(kNotEnough)});
  EXPECT_TRUE(outcome.changed_stock.empty());
  EXPECT_TRUE(outcome.new_entries.empty());
}

TEST(DecideOrders, DecidesADuplicateWithinABatchOnce) {
  const std::vector orders{order(1, 7, 3), order(1, 7, 3)};
  const auto outcome = decide_orders(orders, {.on_hand = {{7, 10}}, .decisions = {}});
  EXPECT_EQ(outcome.decisions, (std::vector{kAccepted, replay(kAccepted)}));
  EXPECT_EQ(outcome.new_entries.size(), 1U);
}

TEST(DecideOrders, NamesTheEarlierQuantityOfAConflict) {
  const std::vector orders{order(1, 7, 4), order(2, 7, 1), order(2, 7, 2)};
  const auto outcome = decide_orders(
      orders, {.on_hand = {{7, 10}}, .decisions = {{{7, "i1"}, {Verdict::accepted, 3}}}});
  EXPECT_EQ(outcome.decisions[0].conflicts_with, 3);
  EXPECT_FALSE(outcome.decisions[0].replayed);
  EXPECT_EQ(outcome.decisions[2].conflicts_with, 1);
  EXPECT_EQ(outcome.new_entries.size(), 1U);
}

TEST(DecideOrders, TellsAnIntegerOrderIdFromTheStringOfItsDigits) {
  const std::vector orders{order(42, 7, 1), Order{OrderId("42"), 7, 1}};
  const auto outcome = decide_orders(orders, {.on_hand = {{7, 10}}, .decisions = {}});
  EXPECT_EQ(outcome.decisions, (std::vector{kAccepted, kAccepted}));
}

TEST(DecideOrders, TellsLinesOfOneOrderForOneProductApart) {
  const std::vector orders{Order{OrderId(1), 7, 2}, Order{OrderId(1), 7, 2, OrderId(1)},
                           Order{OrderId(1), 7, 2, OrderId("1")},
                           Order{OrderId(1), 7, 2, OrderId("1")},
                           Order{OrderId(1), 7, 3, OrderId(1)}};
  const auto outcome = decide_orders(orders, {.on_hand = {{7, 10}}, .decisions = {}});
  EXPECT_EQ(outcome.decisions[2], kAccepted);
  EXPECT_EQ(outcome.decisions[3], replay(kAccepted));
  EXPECT_EQ(outcome.decisions[4].conflicts_with, 2);
  EXPECT_EQ(outcome.changed_stock, (std::vector<std::pair<ProductId, Quantity>>{{7, 4}}));
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
  const std::vector orders{order(1, 7, 1), order(1, 8, 1)};
  const auto outcome = decide_orders(orders, {.on_hand = {{7, 1}, {8, 1}}, .decisions = {}});
  EXPECT_EQ(outcome.decisions, (std::vector{kAccepted, kAccepted}));
}

TEST(DecideOrders, WritesInTheOrderInWhichLocksAreTaken) {
  const std::vector orders{order(2, 9, 1), order(10, 7, 1), order(9, 7, 1)};
  const auto outcome = decide_orders(orders, {.on_hand = {{7, 9}, {9, 9}}, .decisions = {}});
  EXPECT_EQ(outcome.new_entries[0].key, (LedgerKey{7, "i10"}));
  EXPECT_EQ(outcome.new_entries[1].key, (LedgerKey{7, "i9"}));
  EXPECT_EQ(outcome.new_entries[2].key, (LedgerKey{9, "i2"}));
  EXPECT_EQ(outcome.changed_stock, (std::vector<std::pair<ProductId, Quantity>>{{7, 7}, {9, 8}}));
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
      BatchView view{.on_hand = {{1, 12}, {2, 5}, {3, 0}}, .decisions = {}};
      std::vector<OrderDecision> decisions;
      for (std::size_t begin = 0; begin < orders.size(); begin += batch_size) {
        const auto batch = std::span(orders).subspan(begin, std::min(batch_size, 60 - begin));
        const auto outcome = decide_orders(batch, view);
        for (const auto& [product, quantity] : outcome.changed_stock) {
          EXPECT_GE(quantity, 0);
          view.on_hand[product] = quantity;
        }
        for (const auto& entry : outcome.new_entries) {
          view.decisions[entry.key] = {entry.verdict, entry.quantity};
        }
        decisions.insert(decisions.end(), outcome.decisions.begin(), outcome.decisions.end());
      }
      return decisions;
    };
    EXPECT_EQ(run(1), run(7)) << "seed " << seed;
    EXPECT_EQ(run(1), run(60)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace inventory::domain
