#include "domain/confirmation.h"

#include <chrono>
#include <vector>

#include <gtest/gtest.h>

#include "domain/testing/memory_tables.h"

namespace inventory::domain {
namespace {

using std::chrono::seconds;

// A shop with orders that hold for a minute.
struct HoldShop {
  MemoryTables tables{.stock = {{1, {10}}, {5, {3}}}, .now = Timestamp(seconds(1'000'000))};

  template <class DecisionOfKind, class Kind>
  DecisionOfKind decide(const Kind& one) {
    return tables.decide_kind<DecisionOfKind>(std::span(&one, 1)).front();
  }
  OrderDecision hold(std::int64_t id, ProductId product, Quantity quantity,
                     std::optional<std::int64_t> for_seconds = 60) {
    return decide<OrderDecision>(Order{
        .id = OrderId(id), .product = product, .quantity = quantity, .hold_seconds = for_seconds});
  }
  BasketDecision hold_all(std::int64_t id, std::vector<OrderItem> items) {
    return decide<BasketDecision>(
        Basket{.id = OrderId(id), .items = std::move(items), .hold_seconds = 60});
  }
  ConfirmationDecision confirm(std::int64_t id, std::vector<Confirmation::Item> items) {
    return decide<ConfirmationDecision>(Confirmation{.id = OrderId(id), .items = std::move(items)});
  }
  CancellationDecision cancel(std::int64_t id, std::vector<Cancellation::Item> items) {
    return decide<CancellationDecision>(Cancellation{.id = OrderId(id), .items = std::move(items)});
  }
  ExpiryDecision expire(std::int64_t id, ProductId product) {
    return decide<ExpiryDecision>(
        Expiry{.product = product, .identity = OrderId(id).ledger_identity()});
  }
  void pass(seconds time) { tables.now += time; }
  Quantity left(ProductId product) const { return tables.stock.at(product).quantity; }
  std::size_t open() const { return tables.holds.size(); }
};

ConfirmationDecision once(Outcome outcome) { return {.outcome = outcome}; }
ConfirmationDecision again(Outcome outcome) { return {.outcome = outcome, .replayed = true}; }

TEST(DecideHold, TakesStockUntilATimeByTheDatabasesClock) {
  HoldShop shop;
  const auto until = shop.tables.now + seconds(60);
  const auto decision = shop.hold(1, 1, 3);
  EXPECT_EQ(decision.outcome, Outcome::held);
  EXPECT_EQ(decision.held_until, until);
  EXPECT_EQ(shop.left(1), 7);
  EXPECT_EQ(shop.open(), 1U);
  shop.pass(seconds(10));
  const auto repeated = shop.hold(1, 1, 3);
  EXPECT_TRUE(repeated.replayed);
  EXPECT_EQ(repeated.held_until, until) << "as the first time";
  EXPECT_EQ(shop.left(1), 7);
}

TEST(DecideHold, IsPartOfWhatIsComparedWithARepetition) {
  HoldShop shop;
  shop.hold(1, 1, 3);
  EXPECT_EQ(shop.hold(1, 1, 3, 61).conflicts_with, 3);
  EXPECT_EQ(shop.hold(1, 1, 3, 61).hold_of_conflict, 60);
  EXPECT_EQ(shop.hold(1, 1, 3, {}).conflicts_with, 3);
  shop.hold(2, 1, 99);  // rejected
  EXPECT_TRUE(shop.hold(2, 1, 99).replayed);
  EXPECT_FALSE(shop.hold(2, 1, 99).held_until);
  EXPECT_EQ(shop.hold(2, 1, 99, {}).conflicts_with, 99);
  shop.hold(3, 1, 1, {});  // for good
  const auto conflict = shop.hold(3, 1, 1);
  EXPECT_EQ(conflict.conflicts_with, 1);
  EXPECT_FALSE(conflict.hold_of_conflict);
  shop.hold_all(4, {{1, 1}, {5, 1}});
  EXPECT_EQ(shop.hold(4, 5, 1, 61).hold_of_conflict, 60) << "an item of several";
}

TEST(DecideHold, OpensNothingWhereAnOrderOfSeveralItemsIsRejected) {
  HoldShop shop;
  EXPECT_EQ(shop.hold_all(1, {{1, 1}, {5, 4}}).outcome, Outcome::not_enough_stock);
  EXPECT_EQ(shop.open(), 0U);
  EXPECT_TRUE(shop.hold_all(1, {{1, 1}, {5, 4}}).replayed);
}

TEST(DecideExpiry, GivesBackOnceWhatADueHoldTook) {
  HoldShop shop;
  shop.hold(1, 1, 3);
  EXPECT_EQ(shop.expire(1, 1).outcome, Outcome::hold_ended) << "not due";
  shop.pass(seconds(60));
  EXPECT_EQ(shop.expire(1, 1), (ExpiryDecision{Outcome::expired, 3, false, 2}));
  EXPECT_EQ(shop.expire(1, 1), (ExpiryDecision{Outcome::expired, 3, true, 2}));
  EXPECT_EQ(shop.left(1), 10);
  EXPECT_EQ(shop.open(), 0U);
  EXPECT_EQ(shop.cancel(1, {{1, {}}}).items, (std::vector<OrderItem>{{1, 0}}));
  EXPECT_EQ(shop.left(1), 10);
  EXPECT_EQ(shop.hold(1, 1, 3).outcome, Outcome::held) << "answered as the first time";
}

TEST(DecideExpiry, GivesNothingBackThatWasConfirmedOrCancelledOrNeverHeld) {
  HoldShop shop;
  shop.hold(1, 1, 3);
  shop.hold(2, 1, 3);
  shop.hold(3, 1, 1, {});
  shop.confirm(1, {{1, {}}});
  shop.cancel(2, {{1, {}}});
  shop.pass(seconds(3'600));
  for (std::int64_t id = 1; id <= 4; ++id) {
    EXPECT_EQ(shop.expire(id, 1).outcome, Outcome::hold_ended) << id;
  }
  EXPECT_EQ(shop.left(1), 6);
  EXPECT_EQ(shop.open(), 0U);
}

TEST(DecideConfirmation, MakesAHoldFinal) {
  HoldShop shop;
  shop.hold(1, 1, 3);
  EXPECT_EQ(shop.confirm(1, {{1, 3}}), once(Outcome::confirmed));
  EXPECT_EQ(shop.open(), 0U);
  shop.pass(seconds(3'600));
  EXPECT_EQ(shop.confirm(1, {{1, {}}}), again(Outcome::confirmed));
  EXPECT_EQ(shop.left(1), 7);
}

TEST(DecideConfirmation, TakesAnOrderWithoutAHoldForConfirmed) {
  HoldShop shop;
  shop.hold(1, 1, 3, {});
  EXPECT_EQ(shop.confirm(1, {{1, {}}}), once(Outcome::confirmed));
  EXPECT_EQ(shop.confirm(1, {{1, {}}}), again(Outcome::confirmed));
}

TEST(DecideConfirmation, IsTooLateOnceTheHoldIsDueWhetherOrNotItWasGivenBack) {
  HoldShop shop;
  shop.hold(1, 1, 3);
  shop.hold(2, 1, 3);
  shop.pass(seconds(60));
  EXPECT_EQ(shop.confirm(1, {{1, {}}}), once(Outcome::hold_expired));
  EXPECT_EQ(shop.expire(1, 1).outcome, Outcome::expired) << "it still is given back";
  shop.expire(2, 1);
  EXPECT_EQ(shop.confirm(2, {{1, {}}}), once(Outcome::hold_expired));
  EXPECT_EQ(shop.confirm(1, {{1, {}}}), again(Outcome::hold_expired));
  EXPECT_EQ(shop.left(1), 10);
}

TEST(DecideConfirmation, SaysWhatBecameOfTheOrder) {
  HoldShop shop;
  shop.hold(1, 1, 99);
  EXPECT_EQ(shop.confirm(1, {{1, {}}}), once(Outcome::order_rejected));
  EXPECT_EQ(shop.confirm(1, {{1, {}}}), again(Outcome::order_rejected));
  shop.hold(2, 1, 1);
  shop.cancel(2, {{1, {}}});
  EXPECT_EQ(shop.confirm(2, {{1, {}}}), once(Outcome::order_cancelled));
  shop.cancel(3, {{1, {}}});  // before it came
  EXPECT_EQ(shop.confirm(3, {{1, {}}}), once(Outcome::order_cancelled));
  EXPECT_EQ(shop.confirm(3, {{1, 7}}), again(Outcome::order_cancelled));
  shop.hold(4, 1, 2);
  EXPECT_EQ(shop.confirm(4, {{1, 3}}).conflicts_with, (OrderItem{1, 2}));
}

TEST(DecideConfirmation, KeepsNothingOfAnOrderThatWasNeverSeen) {
  HoldShop shop;
  EXPECT_EQ(shop.confirm(1, {{1, {}}}), once(Outcome::order_not_found));
  EXPECT_EQ(shop.confirm(1, {{1, {}}}), once(Outcome::order_not_found));
  shop.hold(1, 1, 3);
  EXPECT_EQ(shop.confirm(1, {{1, {}}}), once(Outcome::confirmed));
}

TEST(DecideConfirmation, ConfirmsAllItemsOrNone) {
  HoldShop shop;
  shop.hold_all(1, {{1, 2}, {5, 1}});
  shop.cancel(1, {{5, {}}});
  EXPECT_EQ(shop.confirm(1, {{1, {}}, {5, {}}}), once(Outcome::order_cancelled));
  EXPECT_EQ(shop.open(), 1U) << "the other is held on";
  EXPECT_EQ(shop.confirm(1, {{1, {}}}), once(Outcome::confirmed));
  EXPECT_EQ(shop.confirm(1, {{1, {}}, {5, {}}}), again(Outcome::order_cancelled));
  shop.hold_all(2, {{1, 2}, {5, 1}});
  EXPECT_EQ(shop.confirm(2, {{1, {}}, {5, {}}}), once(Outcome::confirmed));
  EXPECT_EQ(shop.open(), 0U);
}

TEST(DecideConfirmation, IsGivenBackByACancellationOnly) {
  HoldShop shop;
  shop.hold(1, 1, 3);
  shop.confirm(1, {{1, {}}});
  EXPECT_EQ(shop.cancel(1, {{1, {}}}).items, (std::vector<OrderItem>{{1, 3}}));
  EXPECT_EQ(shop.left(1), 10);
  EXPECT_EQ(shop.confirm(1, {{1, {}}}), again(Outcome::confirmed)) << "as the first time";
}

TEST(DecideConfirmation, FailsForAnItemThatWasConfirmedAloneAndThenCancelled) {
  HoldShop shop;
  shop.hold_all(1, {{1, 2}, {5, 1}});
  shop.confirm(1, {{1, {}}});
  shop.cancel(1, {{1, {}}});
  EXPECT_EQ(shop.confirm(1, {{1, {}}, {5, {}}}).outcome, Outcome::order_cancelled);
  EXPECT_EQ(shop.confirm(1, {{5, {}}}), once(Outcome::confirmed));
}

// Its own entry says confirmed, so none can keep what the whole was answered.
TEST(DecideConfirmation, IsAnsweredTheSameAgainWhereAnItemWasConfirmedAloneAndThenCancelled) {
  HoldShop shop;
  shop.hold_all(1, {{1, 2}, {5, 1}});
  shop.confirm(1, {{1, {}}});
  shop.cancel(1, {{1, {}}});
  EXPECT_EQ(shop.confirm(1, {{5, {}}, {1, {}}}).outcome, Outcome::order_cancelled);
  shop.pass(seconds(60));
  shop.expire(1, 5);
  EXPECT_EQ(shop.confirm(1, {{5, {}}, {1, {}}}).outcome, Outcome::order_cancelled);
}

// Everything of one order, in one batch.
TEST(DecideConfirmation, SeesWhatItsBatchDid) {
  HoldShop shop;
  const OrderId id(1);
  const std::vector<Command> commands{
      Order{.id = id, .product = 1, .quantity = 3, .hold_seconds = 60},
      Confirmation{.id = id, .items = {{1, {}}}},
      Order{.id = OrderId(2), .product = 1, .quantity = 3, .hold_seconds = 60},
      Cancellation{.id = OrderId(2), .items = {{1, {}}}}};
  const auto decisions = shop.tables.decide(commands);
  EXPECT_EQ(outcome_of(decisions[1]), Outcome::confirmed);
  EXPECT_EQ(outcome_of(decisions[3]), Outcome::cancelled);
  EXPECT_EQ(shop.open(), 0U);
  EXPECT_EQ(shop.left(1), 7);
}

}  // namespace
}  // namespace inventory::domain
