#include "domain/cancellation.h"

#include <gtest/gtest.h>

#include "domain/testing/memory_tables.h"

namespace inventory::domain {
namespace {

using Items = std::vector<OrderItem>;

Cancellation cancellation(std::int64_t id, std::vector<Cancellation::Item> items) {
  return {.id = OrderId(id), .items = std::move(items)};
}

struct CancellationShop {
  MemoryTables tables{.stock = {{1, {10}}, {5, {1}}}};

  CancellationDecision cancel(std::int64_t id, std::vector<Cancellation::Item> items) {
    const auto one = cancellation(id, std::move(items));
    return tables.decide_kind<CancellationDecision>(std::span(&one, 1)).front();
  }
  OrderDecision order(std::int64_t id, ProductId product, Quantity quantity) {
    const Order one{OrderId(id), product, quantity};
    return tables.decide_orders(std::span(&one, 1)).front();
  }
  Outcome basket(std::int64_t id, std::vector<OrderItem> items) {
    const Basket one{.id = OrderId(id), .items = std::move(items)};
    return tables.decide_kind<BasketDecision>(std::span(&one, 1)).front().outcome;
  }
  Quantity left(ProductId product) const { return tables.stock.at(product).quantity; }
};

TEST(DecideCancellation, GivesBackWhatAnAcceptedOrderTookOnce) {
  CancellationShop shop;
  shop.order(1, 1, 3);
  EXPECT_EQ(shop.cancel(1, {{1, {}}}), (CancellationDecision{{{1, 3}}}));
  EXPECT_EQ(shop.left(1), 10);
  EXPECT_EQ(shop.cancel(1, {{1, 3}}), (CancellationDecision{{{1, 3}}, true}));
  EXPECT_EQ(shop.left(1), 10);
  // The order itself is answered as the first time.
  const auto again = shop.order(1, 1, 3);
  EXPECT_EQ(again.outcome, Outcome::accepted);
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(shop.left(1), 10);
}

TEST(DecideCancellation, GivesNothingBackOfARejectedOrder) {
  CancellationShop shop;
  shop.order(1, 1, 11);
  EXPECT_EQ(shop.cancel(1, {{1, {}}}), (CancellationDecision{{{1, 0}}}));
  EXPECT_EQ(shop.cancel(1, {{1, {}}}), (CancellationDecision{{{1, 0}}, true}));
  EXPECT_EQ(shop.left(1), 10);
}

TEST(DecideCancellation, KeepsAnOrderThatComesLaterFromBeingTaken) {
  CancellationShop shop;
  EXPECT_EQ(shop.cancel(1, {{1, 3}}), (CancellationDecision{{{1, 0}}}));
  const auto late = shop.order(1, 1, 3);
  EXPECT_EQ(late.outcome, Outcome::cancelled_first);
  EXPECT_EQ(shop.order(1, 1, 2).conflicts_with, std::nullopt);
  EXPECT_EQ(shop.left(1), 10);
  EXPECT_EQ(shop.cancel(1, {{1, {}}}), (CancellationDecision{{{1, 0}}, true}));
}

TEST(DecideCancellation, KeepsAnOrderOfSeveralItemsFromBeingTakenIfOneWasCancelled) {
  CancellationShop shop;
  shop.cancel(1, {{5, {}}});
  EXPECT_EQ(shop.basket(1, {{1, 2}, {5, 1}}), Outcome::cancelled_first);
  EXPECT_EQ(shop.basket(1, {{1, 2}, {5, 1}}), Outcome::cancelled_first);
  EXPECT_EQ(shop.left(1), 10);
  EXPECT_EQ(shop.order(1, 1, 2).outcome, Outcome::other_item);
}

TEST(DecideCancellation, TreatsEachItemOfAnOrderByItself) {
  CancellationShop shop;
  shop.basket(1, {{1, 2}, {5, 1}});
  EXPECT_EQ(shop.cancel(1, {{5, {}}}).items, (Items{{5, 1}}));
  const auto rest = shop.cancel(1, {{5, 1}, {1, {}}, {7, {}}});
  EXPECT_EQ(rest.items, (Items{{5, 1}, {1, 2}, {7, 0}}));
  EXPECT_FALSE(rest.replayed);
  EXPECT_TRUE(shop.cancel(1, {{5, 1}, {1, {}}, {7, {}}}).replayed);
  EXPECT_EQ(shop.left(1), 10);
  EXPECT_EQ(shop.left(5), 1);
}

TEST(DecideCancellation, DoesNothingOfARequestWithAnotherQuantity) {
  CancellationShop shop;
  shop.basket(1, {{1, 2}, {5, 1}});
  const auto decision = shop.cancel(1, {{5, 1}, {1, 3}});
  EXPECT_EQ(decision.conflicts_with, (OrderItem{1, 2}));
  EXPECT_EQ(outcome_of(decision), Outcome::conflict);
  EXPECT_EQ(shop.left(5), 0);
}

TEST(DecideCancellation, GivesNothingBackToAProductThatIsGone) {
  CancellationShop shop;
  shop.order(1, 1, 3);
  shop.tables.stock.erase(1);
  EXPECT_EQ(shop.cancel(1, {{1, {}}}).items, (Items{{1, 0}}));
}

TEST(DecideCancellation, IsInvalidWhereTheStockWouldBeMoreThanCanBeKept) {
  CancellationShop shop;
  shop.order(1, 1, 3);
  shop.tables.stock[1] = {kQuantityMax - 2};
  const auto decision = shop.cancel(1, {{1, {}}});
  EXPECT_EQ(decision.beyond_limit, 1);
  EXPECT_EQ(outcome_of(decision), Outcome::invalid);
  shop.tables.stock[1] = {kQuantityMax - 3};
  EXPECT_EQ(shop.cancel(1, {{1, {}}}).items, (Items{{1, 3}}));
}

}  // namespace
}  // namespace inventory::domain
