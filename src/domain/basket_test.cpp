#include "domain/basket.h"

#include <gtest/gtest.h>

#include "domain/testing/memory_tables.h"

namespace inventory::domain {
namespace {

Basket basket(std::int64_t id, std::vector<OrderItem> items) {
  return {.id = OrderId(id), .items = std::move(items)};
}

struct BasketShop {
  MemoryTables tables{.stock = {{1, {10}}, {5, {1}}}};

  BasketDecision decide(const Basket& one) {
    return tables.decide_kind<BasketDecision>(std::span(&one, 1)).front();
  }
  OrderDecision decide(const Order& one) {
    return tables.decide_kind<OrderDecision>(std::span(&one, 1)).front();
  }
  Quantity left(ProductId product) const { return tables.stock.at(product).quantity; }
};

TEST(DecideBasket, TakesEachProductOfAnAcceptedOrder) {
  BasketShop shop;
  EXPECT_EQ(shop.decide(basket(1, {{1, 2}, {5, 1}})), (BasketDecision{Outcome::accepted}));
  EXPECT_EQ(shop.left(1), 8);
  EXPECT_EQ(shop.left(5), 0);
}

TEST(DecideBasket, TakesNothingIfOneProductIsShortAndSaysWhichAndWhatThereWas) {
  BasketShop shop;
  const auto decision = shop.decide(basket(1, {{1, 2}, {5, 2}}));
  EXPECT_EQ(decision.outcome, Outcome::not_enough_stock);
  EXPECT_EQ(decision.in_the_way, (std::vector<InTheWay>{{5, 1}}));
  EXPECT_EQ(shop.left(1), 10);
  EXPECT_EQ(shop.left(5), 1);
  const auto both = shop.decide(basket(2, {{7, 1}, {1, 11}, {5, 1}}));
  EXPECT_EQ(both.outcome, Outcome::product_not_found);
  EXPECT_EQ(both.in_the_way, (std::vector<InTheWay>{{7, std::nullopt}, {1, 10}}));
}

TEST(DecideBasket, IsAnsweredAgainAsThenWhateverTheStockIsByNow) {
  BasketShop shop;
  const auto first = shop.decide(basket(1, {{1, 2}, {5, 2}}));
  shop.tables.stock[5] = {100};
  auto again = shop.decide(basket(1, {{1, 2}, {5, 2}}));
  EXPECT_TRUE(again.replayed);
  again.replayed = false;
  EXPECT_EQ(again, first);
}

TEST(DecideBasket, IsAConflictWithAnotherQuantityOrWithOtherItems) {
  BasketShop shop;
  shop.decide(Order{OrderId(1), 1, 2});
  const auto quantity = shop.decide(basket(1, {{1, 3}, {5, 1}}));
  EXPECT_EQ(quantity.outcome, Outcome::conflict);
  EXPECT_EQ(quantity.conflicts_with, (OrderItem{1, 2}));
  const auto items = shop.decide(basket(1, {{1, 2}, {5, 1}}));
  EXPECT_EQ(items.outcome, Outcome::conflict);
  EXPECT_EQ(items.conflicts_with, std::nullopt);
  EXPECT_EQ(shop.left(5), 1);
  EXPECT_EQ(shop.tables.ledger.size(), 1U);
}

TEST(DecideBasket, LeavesItsDecisionToEachItemAskedForAlone) {
  BasketShop shop;
  shop.decide(basket(1, {{1, 2}, {5, 2}}));
  shop.tables.stock[5] = {100};
  const auto innocent = shop.decide(Order{OrderId(1), 1, 2});
  EXPECT_EQ(innocent.outcome, Outcome::other_item);
  EXPECT_TRUE(innocent.replayed);
  EXPECT_EQ(shop.decide(Order{OrderId(1), 5, 2}).outcome, Outcome::not_enough_stock);
  EXPECT_EQ(shop.decide(Order{OrderId(1), 1, 3}).conflicts_with, 2);
  EXPECT_EQ(shop.left(1), 10);
}

TEST(DecideBasket, ReplaysWhatWasDecidedOneByOne) {
  BasketShop shop;
  shop.decide(Order{OrderId(1), 1, 2});
  shop.decide(Order{OrderId(1), 5, 1});
  EXPECT_EQ(shop.decide(basket(1, {{5, 1}, {1, 2}})), (BasketDecision{Outcome::accepted, true}));
}

TEST(DecideBasket, SaysWhereAReplayMayBeAnotherLine) {
  BasketShop shop;
  Basket one = basket(1, {{1, 1}});
  one.message_hash = 1;
  shop.decide(one);
  EXPECT_FALSE(shop.decide(one).may_be_another_line);
  one.message_hash = 2;
  EXPECT_TRUE(shop.decide(one).may_be_another_line);
}

// The entry that a cancellation has left is of the cancellation's message.
TEST(DecideBasket, IsNoOtherLineOfAnOrderThatWasCancelledBeforeItCame) {
  BasketShop shop;
  const Cancellation before{
      .id = OrderId(1), .items = {{1, std::nullopt}, {5, std::nullopt}}, .message_hash = 7};
  shop.tables.decide_kind<CancellationDecision>(std::span(&before, 1));
  Basket one = basket(1, {{1, 1}, {5, 1}});
  one.message_hash = 1;
  EXPECT_EQ(shop.decide(one).outcome, Outcome::cancelled_first);
  EXPECT_FALSE(shop.decide(one).may_be_another_line);
}

}  // namespace
}  // namespace inventory::domain
