#include "domain/item.h"

#include <gtest/gtest.h>

namespace inventory::domain {
namespace {

NewItem request(std::optional<std::string> identity, Quantity quantity) {
  return {std::move(identity), quantity, "a shirt", Timestamp(std::chrono::microseconds(quantity))};
}

const std::vector<ProductId> kIds{7, 8, 9};

TEST(DecideItems, GivesEachRequestWithoutIdentityAnItemOfItsOwn) {
  const std::vector requests{request({}, 5), request({}, 5)};
  const auto outcome = decide_items(requests, {}, kIds);
  EXPECT_EQ(outcome.decisions[0].item.id, 7);
  EXPECT_EQ(outcome.decisions[1].item.id, 8);
  EXPECT_EQ(outcome.added.size(), 2U);
}

TEST(DecideItems, GivesADuplicateWithinABatchTheSameItem) {
  const std::vector requests{request("m1", 5), request("m1", 5)};
  const auto outcome = decide_items(requests, {}, kIds);
  EXPECT_EQ(outcome.added.size(), 1U);
  EXPECT_EQ(outcome.decisions[0].item, outcome.decisions[1].item);
  EXPECT_FALSE(outcome.decisions[0].replayed);
  EXPECT_TRUE(outcome.decisions[1].replayed);
}

TEST(DecideItems, RepeatsTheItemOfAnEarlierRequestAsItWasAdded) {
  const Item first{3, 9, "a shirt", Timestamp{}};
  const std::vector requests{request("m1", 9)};
  const auto outcome = decide_items(requests, {{"m1", first}}, kIds);
  EXPECT_EQ(outcome.decisions, (std::vector<ItemDecision>{{first, true}}));
  EXPECT_TRUE(outcome.added.empty());
}

TEST(DecideItems, SwallowsNoOtherItemUnderAnIdentityThatWasUsed) {
  const Item first{3, 5, "a shirt", Timestamp{}};
  const Item other{3, 9, std::nullopt, Timestamp{}};
  const std::vector requests{request("c1", 9), request("c2", 9), request("c3", 1),
                             request("c3", 2)};
  const auto outcome =
      decide_items(requests, {{"c1", first}, {"c2", other}}, std::vector<ProductId>{7, 8, 9, 10});
  for (const std::size_t at : {0U, 1U, 3U}) {
    const ItemDecision& conflict = outcome.decisions[at];
    EXPECT_EQ(conflict.conflicts_with, at == 3 ? 7 : 3);
    EXPECT_FALSE(conflict.replayed);
    EXPECT_EQ(conflict.item.id, 0);
    EXPECT_EQ(conflict.item.quantity, requests[at].quantity);
  }
  EXPECT_EQ(outcome.decisions[2].item.id, 7);
  EXPECT_EQ(outcome.added.size(), 1U);
}

TEST(DecideItems, WritesSortedByIdentitySoThatTwoInstancesCannotDeadlock) {
  const std::vector requests{request("m2", 1), request("m1", 2), request({}, 3)};
  const auto outcome = decide_items(requests, {}, kIds);
  EXPECT_EQ(outcome.added[0].identity, std::nullopt);
  EXPECT_EQ(outcome.added[1].identity, "m1");
  EXPECT_EQ(outcome.added[1].item.id, 8);
  EXPECT_EQ(outcome.added[2].identity, "m2");
}

}  // namespace
}  // namespace inventory::domain
