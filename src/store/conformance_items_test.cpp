// What a caller of Store::add_items() relies on, whichever the adapter.

#include <set>

#include <fmt/format.h>

#include "store/testing/conformance.h"

namespace inventory::store::conformance {
namespace {

using domain::NewItem;
using domain::Timestamp;
using std::chrono::microseconds;

constexpr Timestamp kCreated{microseconds(1'795'402'800'123'456)};  // with odd microseconds

NewItem request(std::optional<std::string> identity, domain::Quantity quantity,
                std::optional<std::string> description = "Blue T-shirt, size M") {
  return {std::move(identity), quantity, std::move(description), kCreated};
}

TEST_P(Conformance, AddsAnItemAsItWasAskedFor) {
  migrate();
  const auto decision = add({request("m1", 10)}).at(0);
  EXPECT_GE(decision.item.id, 1);
  EXPECT_FALSE(decision.replayed);
  EXPECT_EQ(decision.item, (domain::Item{decision.item.id, 10, "Blue T-shirt, size M", kCreated}));
  EXPECT_EQ(database_->on_hand(decision.item.id), 10);
  EXPECT_EQ(database_->ledger_sum(decision.item.id), 10);
}

TEST_P(Conformance, AddsAnItemForEachRequestWithoutAnIdentity) {
  migrate();
  const auto first = add({request({}, 1), request({}, 1)});
  const auto second = add({request({}, 1)});
  const std::set ids{first[0].item.id, first[1].item.id, second[0].item.id};
  EXPECT_EQ(ids.size(), 3U);
}

TEST_P(Conformance, GivesTheStoredItemToARequestThatComesAgain) {
  migrate();
  const auto first = add({request("m1", 10), request({}, 2), request("m2", 0, std::nullopt)});
  // The answer stays as it was, whatever became of the item.
  EXPECT_EQ(decide({order(1, first[0].item.id, 4)}), OrderDecisions{kAccepted});
  auto again = request("m1", 10);
  again.created_at += microseconds(1);
  const auto second = add({again, request("m2", 0, std::nullopt)});
  EXPECT_EQ(second, (ItemDecisions{{first[0].item, true}, {first[2].item, true}}));
  reopen();
  EXPECT_EQ(add({request("m2", 0, std::nullopt), request("m1", 10)}),
            (ItemDecisions{{first[2].item, true}, {first[0].item, true}}));
  EXPECT_EQ(database_->on_hand(first[0].item.id), 6);
}

TEST_P(Conformance, AddsNoItemUnderAnIdentityThatAnotherItemHas) {
  migrate();
  const auto first = add({request("c1", 10), request("c1", 11)});
  EXPECT_EQ(first[1].conflicts_with, first[0].item.id);
  reopen();
  const auto second = add({request("c1", 10, "Red T-shirt"), request("c1", 10)});
  EXPECT_EQ(second[0].conflicts_with, first[0].item.id);
  EXPECT_EQ(second[0].item.quantity, 10);
  EXPECT_EQ(second[0].item.description, "Red T-shirt");
  EXPECT_EQ(second[1], (domain::ItemDecision{first[0].item, true}));
  EXPECT_EQ(database_->on_hand(first[0].item.id), 10);
}

TEST_P(Conformance, AddsOneItemForADuplicateWithinABatch) {
  migrate();
  const auto decisions = add({request("m1", 10), request("m2", 5), request("m1", 10)});
  EXPECT_EQ(decisions[2], (domain::ItemDecision{decisions[0].item, true}));
  EXPECT_NE(decisions[0].item.id, decisions[1].item.id);
}

TEST_P(Conformance, KeepsDescriptionsByteForByte) {
  migrate();
  const std::vector<std::optional<std::string>> descriptions{
      std::nullopt,
      "",
      " ",
      "NULL",
      "\\N",
      "it's 100% \"cotton\", {a,b} \\ $1",
      "line\nline\r\n\ttab",
      "\xF0\x9F\x91\x95 caf\xC3\xA9",
      std::string(10'000, 'x'),
  };
  std::vector<NewItem> requests;
  requests.reserve(descriptions.size());
  for (std::size_t i = 0; i < descriptions.size(); ++i) {
    requests.push_back(request(fmt::format("m{}", i), 1, descriptions[i]));
  }
  const auto added = add(requests);
  reopen();
  const auto again = add(requests);
  for (std::size_t i = 0; i < descriptions.size(); ++i) {
    EXPECT_EQ(added[i].item.description, descriptions[i]);
    EXPECT_EQ(again[i].item, added[i].item);
    EXPECT_TRUE(again[i].replayed);
  }
}

TEST_P(Conformance, KeepsOddIdentitiesOfItemRequestsApart) {
  migrate();
  std::vector<NewItem> requests;
  for (const std::string identity :
       {"'",        "\"",        "\\",     "\\N", "{", "{a,b}", ",",  "NULL", "%",
        "\n",       " ",         "  ",     "a",   "A", "a ",    "$1", "?1",   "\xF0\x9F\x91\x95",
        "\xC3\xA9", "e\xCC\x81", "opening"}) {
    requests.push_back(request(identity, 1));
  }
  requests.push_back(request(std::string(512, 'x'), 1));
  const auto added = add(requests);
  std::set<domain::ProductId> ids;
  for (const auto& decision : added) {
    EXPECT_FALSE(decision.replayed);
    ids.insert(decision.item.id);
  }
  EXPECT_EQ(ids.size(), requests.size());
  reopen();
  const auto again = add(requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(again[i], (domain::ItemDecision{added[i].item, true})) << "request " << i;
  }
}

TEST_P(Conformance, KeepsTimesToTheMicrosecond) {
  migrate();
  std::vector<NewItem> requests;
  for (const std::int64_t time : {0L, 1L, 999'999L, 1'000'000L, 951'827'696'000'001L,
                                  1'795'402'800'123'456L, 4'102'444'799'999'999L}) {
    requests.push_back({fmt::format("m{}", time), 1, std::nullopt, Timestamp(microseconds(time))});
  }
  add(requests);
  reopen();
  const auto again = add(requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(again[i].item.created_at, requests[i].created_at);
  }
}

TEST_P(Conformance, TakesQuantitiesFromZeroToTheContractsLargest) {
  migrate();
  const auto added = add({request("m1", 0), request("m2", kMax)});
  EXPECT_EQ(database_->on_hand(added[0].item.id), 0);
  EXPECT_EQ(database_->ledger_sum(added[0].item.id), 0);
  EXPECT_EQ(database_->on_hand(added[1].item.id), kMax);
  EXPECT_EQ(add({request("m2", kMax)}).at(0), (domain::ItemDecision{added[1].item, true}));
}

TEST_P(Conformance, NeverGivesTheIdOfADeletedItemAgain) {
  migrate();
  product(1);
  const auto last = product(1);
  database_->execute(fmt::format("DELETE FROM inventory WHERE id = {}", last));
  reopen();
  EXPECT_GT(product(1), last);
}

TEST_P(Conformance, AddsABatchOfTheLargestSize) {
  migrate();
  std::vector<NewItem> requests;
  requests.reserve(kBatchMax);
  for (std::size_t i = 0; i < kBatchMax; ++i) {
    requests.push_back(request(fmt::format("m{}", i), static_cast<domain::Quantity>(i)));
  }
  const auto added = add(requests);
  ASSERT_EQ(added.size(), kBatchMax);
  std::set<domain::ProductId> ids;
  for (std::size_t i = 0; i < kBatchMax; ++i) {
    EXPECT_EQ(added[i].item.quantity, static_cast<domain::Quantity>(i));
    ids.insert(added[i].item.id);
  }
  EXPECT_EQ(ids.size(), kBatchMax);
}

TEST_P(Conformance, RefusesAnItemThatAUniqueIndexOfTheOwnersForbids) {
  migrate();
  database_->execute("CREATE UNIQUE INDEX of_the_owner ON inventory (description)");
  const std::vector requests{request("m1", 1), request("m2", 2)};  // of one description
  const auto together = run(add_items(*store_, requests));
  ASSERT_FALSE(together);
  EXPECT_EQ(together.error().fault, Fault::refused) << together.error().what;
  EXPECT_FALSE(add({requests[0]}).at(0).replayed) << "something of the batch was written";
  const auto second = run(add_items(*store_, std::span(requests).subspan(1)));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().fault, Fault::refused) << second.error().what;
}

TEST_P(Conformance, AnswersAnEmptyBatchOfItemsWithNothing) {
  migrate();
  EXPECT_EQ(add(std::span<const NewItem>()), ItemDecisions());
}

}  // namespace
}  // namespace inventory::store::conformance
