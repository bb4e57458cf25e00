#include "domain/item.h"

#include <gtest/gtest.h>

#include "domain/testing/memory_tables.h"

namespace inventory::domain {
namespace {

NewItem request(std::optional<std::string> identity, Quantity quantity) {
  return {std::move(identity), quantity, "a shirt", Timestamp(std::chrono::microseconds(quantity))};
}

NewItem with_id(std::optional<std::string> identity, ProductId id) {
  NewItem item = request(std::move(identity), 5);
  item.chosen_id = id;
  return item;
}

// A store with the ids 1 to 6 used up.
struct ItemShop {
  MemoryTables tables{.last_id = 6};

  std::vector<ItemDecision> decide(const std::vector<NewItem>& requests) {
    return tables.decide_kind<ItemDecision>(std::span(requests));
  }
  std::size_t added() const { return tables.stock.size(); }
};

TEST(DecideItems, GivesEachRequestWithoutIdentityAnItemOfItsOwn) {
  ItemShop items;
  const auto decisions = items.decide({request({}, 5), request({}, 5)});
  EXPECT_EQ(decisions[0].item.id, 7);
  EXPECT_EQ(decisions[1].item.id, 8);
  EXPECT_EQ(items.added(), 2U);
}

TEST(DecideItems, GivesADuplicateWithinABatchTheSameItem) {
  ItemShop items;
  const auto decisions = items.decide({request("m1", 5), request("m1", 5)});
  EXPECT_EQ(items.added(), 1U);
  EXPECT_EQ(decisions[0].item, decisions[1].item);
  EXPECT_FALSE(decisions[0].replayed);
  EXPECT_TRUE(decisions[1].replayed);
}

TEST(DecideItems, RepeatsTheItemOfAnEarlierRequestAsItWasAdded) {
  ItemShop items;
  const auto first = items.decide({request("m1", 9)});
  items.tables.stock[7] = {1, 8};
  EXPECT_EQ(items.decide({request("m1", 9)}), (std::vector<ItemDecision>{{first[0].item, true}}));
  EXPECT_EQ(items.added(), 1U);
}

TEST(DecideItems, SwallowsNoOtherItemUnderAnIdentityThatWasUsed) {
  ItemShop items;
  const auto first = items.decide({request("c1", 5)});
  NewItem other = request("c1", 5);
  other.description = std::nullopt;
  NewItem chosen = request("c1", 5);
  chosen.chosen_id = 7;
  NewItem low = request("c1", 5);
  low.low_stock = 0;
  const std::vector requests{request("c1", 9), other, chosen, low};
  const auto decisions = items.decide(requests);
  for (std::size_t at = 0; at < requests.size(); ++at) {
    const ItemDecision& conflict = decisions[at];
    EXPECT_EQ(conflict.conflicts_with, first[0].item.id);
    EXPECT_FALSE(conflict.replayed);
    EXPECT_EQ(conflict.item.id, 0);
    EXPECT_EQ(conflict.item.quantity, requests[at].quantity);
    EXPECT_EQ(outcome_of(conflict), Outcome::conflict);
  }
  EXPECT_EQ(items.added(), 1U);
}

TEST(DecideItems, WritesEachTableInTheOrderOfItsKeySoThatTwoInstancesCannotDeadlock) {
  const std::vector<Command> commands{request("m2", 1), request("m1", 2), request({}, 3)};
  const Needs needs = needs_of(commands);
  Books books(needs);
  books.found_fresh({7, 8, 9});
  decide_all(commands, books);
  const Changes changes = books.take_changes();
  ASSERT_EQ(changes.items.size(), 3U);
  EXPECT_EQ(changes.items[0].item.id, 7);
  EXPECT_EQ(changes.items[2].item.id, 9);
  ASSERT_EQ(changes.item_requests.size(), 2U);
  EXPECT_EQ(changes.item_requests[0].identity, "m1");
  EXPECT_EQ(changes.item_requests[0].id, 8);
  EXPECT_EQ(changes.item_requests[1].identity, "m2");
  ASSERT_EQ(changes.entries.size(), 3U);
  EXPECT_EQ(changes.entries[2], (LedgerEntry{{9, "opening"}, Outcome::opening, 3, 3, 3, 0}));
}

TEST(DecideItems, TakesTheIdThatARequestHasChosenAndGoesOnBeyondIt) {
  ItemShop items;
  const auto decisions = items.decide({request({}, 1), with_id("m1", 40), request({}, 1)});
  EXPECT_EQ(decisions[1].item.id, 40);
  EXPECT_EQ(outcome_of(decisions[1]), Outcome::item_added);
  EXPECT_GT(decisions[0].item.id, 40);
  EXPECT_GT(decisions[2].item.id, 40);
  EXPECT_GT(items.decide({request({}, 1)})[0].item.id, 40);
}

TEST(DecideItems, RejectsAnIdThatIsTakenAndKeepsTheRejection) {
  ItemShop items;
  const auto decisions =
      items.decide({with_id("m1", 40), with_id("m2", 40), with_id("m2", 40), with_id("m2", 41)});
  EXPECT_TRUE(decisions[1].is_taken);
  EXPECT_EQ(decisions[1].item.id, 0);
  EXPECT_EQ(outcome_of(decisions[1]), Outcome::product_exists);
  EXPECT_TRUE(decisions[2].is_taken);
  EXPECT_TRUE(decisions[2].replayed);
  EXPECT_EQ(decisions[3].conflicts_with, 40);
  // Even if it is free by then.
  items.tables.stock.erase(40);
  items.tables.ledger.clear();
  EXPECT_TRUE(items.decide({with_id("m2", 40)})[0].is_taken);
  EXPECT_FALSE(items.decide({with_id("m3", 40)})[0].is_taken);
}

TEST(DecideItems, TakesAnIdForTakenWhoseItemIsGoneButHasALedger) {
  ItemShop items;
  items.decide({with_id("m1", 40)});
  items.tables.stock.erase(40);
  EXPECT_TRUE(items.decide({with_id("m2", 40)})[0].is_taken);
}

TEST(DecideItems, SellsAnItemInTheBatchThatAddsIt) {
  MemoryTables tables;
  const std::vector<Command> commands{with_id("m1", 40), Order{OrderId(1), 40, 2}};
  const auto decisions = tables.decide(commands);
  EXPECT_EQ(outcome_of(decisions[1]), Outcome::accepted);
  EXPECT_EQ(tables.stock.at(40), (Stock{3, 1}));
}

}  // namespace
}  // namespace inventory::domain
