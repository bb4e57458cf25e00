#include "domain/adjustment.h"

#include <gtest/gtest.h>

#include "domain/testing/memory_tables.h"

namespace inventory::domain {
namespace {

struct AdjustmentShop {
  MemoryTables tables{.stock = {{1, {10}}}};

  AdjustmentDecision decide(const Adjustment& one) {
    return tables.decide_kind<AdjustmentDecision>(std::span(&one, 1)).front();
  }
  Quantity left() const { return tables.stock.at(1).quantity; }
};

Adjustment change(std::int64_t id, Quantity by) {
  return {.id = OrderId(id), .product = 1, .change = by};
}

Adjustment set_to(std::int64_t id, Quantity quantity, std::optional<Quantity> expected = {}) {
  return {.id = OrderId(id), .product = 1, .set_to = quantity, .expected = expected};
}

TEST(DecideAdjustment, ChangesTheStockAndSaysWhatThereIsThen) {
  AdjustmentShop shop;
  EXPECT_EQ(shop.decide(change(1, 5)), (AdjustmentDecision{Outcome::adjusted, false, 15}));
  EXPECT_EQ(shop.decide(change(2, -15)), (AdjustmentDecision{Outcome::adjusted, false, 0}));
  EXPECT_EQ(shop.decide(change(1, 5)), (AdjustmentDecision{Outcome::adjusted, true, 15}));
  EXPECT_EQ(shop.left(), 0);
}

TEST(DecideAdjustment, RejectsAChangeBelowZeroAndKeepsTheRejection) {
  AdjustmentShop shop;
  EXPECT_EQ(shop.decide(change(1, -11)),
            (AdjustmentDecision{Outcome::not_enough_stock, false, 10}));
  shop.tables.stock[1] = {20};
  EXPECT_EQ(shop.decide(change(1, -11)), (AdjustmentDecision{Outcome::not_enough_stock, true, 10}));
}

TEST(DecideAdjustment, SetsTheStockIfItIsWhatWasExpected) {
  AdjustmentShop shop;
  EXPECT_EQ(shop.decide(set_to(1, 7)), (AdjustmentDecision{Outcome::adjusted, false, 7}));
  EXPECT_EQ(shop.decide(set_to(2, 9, 10)),
            (AdjustmentDecision{Outcome::inventory_changed, false, 7}));
  EXPECT_EQ(shop.decide(set_to(3, 9, 7)), (AdjustmentDecision{Outcome::adjusted, false, 9}));
  EXPECT_EQ(shop.decide(set_to(4, 9, 9)), (AdjustmentDecision{Outcome::adjusted, false, 9}));
  EXPECT_EQ(shop.decide(set_to(2, 9, 10)),
            (AdjustmentDecision{Outcome::inventory_changed, true, 7}));
}

TEST(DecideAdjustment, KnowsNoProductThatDoesNotExist) {
  AdjustmentShop shop;
  Adjustment other = change(1, 5);
  other.product = 2;
  EXPECT_EQ(shop.decide(other), (AdjustmentDecision{Outcome::product_not_found}));
  EXPECT_EQ(shop.decide(other), (AdjustmentDecision{Outcome::product_not_found, true}));
}

TEST(DecideAdjustment, IsAConflictWithAnythingElseButAnotherReason) {
  AdjustmentShop shop;
  Adjustment first = set_to(1, 7, 10);
  first.reason = "a count";
  shop.decide(first);
  EXPECT_EQ(shop.tables.ledger.at({1, "ai1"}).reason, "a count");
  EXPECT_EQ(shop.decide(set_to(1, 7, 10)), (AdjustmentDecision{Outcome::adjusted, true, 7}));
  for (const auto& other : {set_to(1, 8, 10), set_to(1, 7, 9), set_to(1, 7), change(1, 7)}) {
    EXPECT_EQ(shop.decide(other), (AdjustmentDecision{Outcome::conflict}));
  }
  EXPECT_EQ(shop.left(), 7);
}

TEST(DecideAdjustment, IsInvalidWhereTheStockWouldBeMoreThanCanBeKept) {
  AdjustmentShop shop;
  EXPECT_EQ(shop.decide(change(1, kQuantityMax - 9)), (AdjustmentDecision{Outcome::invalid}));
  EXPECT_TRUE(shop.tables.ledger.empty());
  EXPECT_EQ(shop.decide(change(1, kQuantityMax - 10)).quantity, kQuantityMax);
}

}  // namespace
}  // namespace inventory::domain
