// What a batch may do to the books, whatever kinds of request it holds.

#include "domain/books.h"

#include <limits>

#include <gtest/gtest.h>

namespace inventory::domain {
namespace {

struct Prepared {
  Needs needs;
  Books books;

  static Needs sorted(Needs needs) {
    needs.sort();
    return needs;
  }
  explicit Prepared(Needs of) : needs(sorted(std::move(of))), books(needs) {}
};

Needs of(std::vector<ProductId> products, std::vector<LedgerKey> entries) {
  Needs needs;
  needs.products = std::move(products);
  needs.entries = std::move(entries);
  return needs;
}

TEST(Books, KeepWhatWasDoneSoFarAndWriteItInTheOrderOfLocks) {
  Prepared prepared(of({9, 7, 9}, {{9, "i2"}, {7, "i9"}, {7, "i10"}, {7, "i9"}}));
  Books& books = prepared.books;
  books.found(9, {9, 4});
  books.found(7, {9, 0});
  books.post({.key = {9, "i2"}, .quantity = 1, .delta = -1});
  books.post({.key = {7, "i10"}, .quantity = 2, .delta = -2});
  const LedgerEntry& last = books.post({.key = {7, "i9"}, .quantity = 3, .delta = -3});
  EXPECT_EQ(last.quantity_after, 4);
  EXPECT_EQ(last.version, 2);
  EXPECT_EQ(*books.stock(7), (Stock{4, 2}));
  EXPECT_EQ(books.entry(7, "i9")->delta, -3);
  const Changes changes = books.take_changes();
  EXPECT_EQ(changes.stock, (std::vector<std::pair<ProductId, Stock>>{{7, {4, 2}}, {9, {8, 5}}}));
  ASSERT_EQ(changes.entries.size(), 3U);
  EXPECT_EQ(changes.entries[0].key, (LedgerKey{7, "i10"}));
  EXPECT_EQ(changes.entries[1].key, (LedgerKey{7, "i9"}));
  EXPECT_EQ(changes.entries[2].key, (LedgerKey{9, "i2"}));
}

TEST(Books, WriteNothingOfWhatWasOnlyRead) {
  Prepared prepared(of({7}, {{7, "i1"}}));
  prepared.books.found(7, {9, 3});
  prepared.books.found(0, {.key = {}, .quantity = 2, .delta = -2});
  EXPECT_EQ(prepared.books.entry(7, "i1")->key, (LedgerKey{7, "i1"}));
  EXPECT_TRUE(prepared.books.take_changes().empty());
}

TEST(Books, LeaveTheVersionAloneWhereTheStockStays) {
  Prepared prepared(of({7}, {{7, "i1"}}));
  prepared.books.found(7, {9, 3});
  const auto& entry =
      prepared.books.post({.key = {7, "i1"}, .outcome = Outcome::not_enough_stock, .quantity = 10});
  EXPECT_EQ(entry.quantity_after, 9);
  EXPECT_EQ(entry.version, 3);
  EXPECT_TRUE(prepared.books.take_changes().stock.empty());
}

using BooksDeathTest = testing::Test;

// A table may hold any number.
TEST(Books, LeaveTheLargestVersionAsItIs) {
  Prepared prepared(of({7}, {{7, "i1"}}));
  constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
  prepared.books.found(7, {9, kLargest});
  const auto& entry = prepared.books.post({.key = {7, "i1"}, .quantity = 1, .delta = -1});
  EXPECT_EQ(entry.version, kLargest);
}

TEST(BooksDeathTest, AbortWhereADecisionWouldBreakAnInvariant) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Prepared prepared(of({7, 8}, {{7, "i1"}, {8, "i1"}}));
  Books& books = prepared.books;
  books.found(7, {2, 0});
  const LedgerKey key{7, "i1"};
  EXPECT_DEATH(books.post({.key = key, .quantity = 3, .delta = -3}), "below zero.*product 7");
  EXPECT_DEATH(books.post({.key = key, .delta = kQuantityMax}), "beyond 2\\^53-1");
  EXPECT_DEATH(books.post({.key = {8, "i1"}, .delta = -1}), "does not exist: product 8");
  EXPECT_DEATH(books.post({.key = {7, "i2"}}), "not named: product 7, identity i2");
  books.post({.key = key, .quantity = 1, .delta = -1});
  EXPECT_DEATH(books.post({.key = key, .quantity = 1, .delta = -1}), "decided twice");
  EXPECT_DEATH(books.fresh_id(), "too few fresh ids");
}

TEST(Ledger, KnowsAnEntryThatNoProgramOfThisVersionWrites) {
  const auto flaw = [](std::string_view identity, std::optional<std::string_view> outcome,
                       std::optional<std::int64_t> quantity, std::optional<std::int64_t> delta) {
    return flaw_of(identity, {outcome, quantity, delta});
  };
  EXPECT_EQ(flaw("i1", "accepted", 2, -2), "");
  EXPECT_EQ(flaw("i1", "not_enough_stock", 2, 0), "");
  EXPECT_EQ(flaw("i1", "teleported", 2, 0),
            "outcome is 'teleported', which this program does not know of such an entry");
  EXPECT_EQ(flaw("i1", std::nullopt, 2, 0), "outcome is NULL");
  EXPECT_NE(flaw("i1", "opening", 2, 2), "");
  EXPECT_NE(flaw("ci1", "accepted", 2, -2), "");
  EXPECT_EQ(flaw("ci1", "cancelled", 2, 2), "");
  EXPECT_NE(flaw("ci1", "cancelled", 2, 1), "");
  EXPECT_EQ(flaw("i1", "cancelled_first", 0, 0), "");
  EXPECT_EQ(flaw("ai1", "adjusted", -5, -5), "");
  EXPECT_NE(flaw("ai1", "not_enough_stock", -5, -5), "");
  EXPECT_EQ(flaw("opening", "opening", 0, 0), "");
  EXPECT_NE(flaw("zi1", "accepted", 2, -2), "");
  EXPECT_EQ(flaw("i1", "accepted", 0, 0), "quantity is 0");
  EXPECT_EQ(flaw("i1", "accepted", kQuantityMax + 1, 0), "quantity is 9007199254740992");
  EXPECT_EQ(flaw("i1", "accepted", 2, -1),
            "delta is -1, which disagrees with outcome 'accepted' and quantity 2");
  EXPECT_EQ(flaw("i1", "accepted", std::nullopt, -1), "quantity is NULL or no integer");
}

TEST(Ledger, HasAHashThatIsTheSameEverywhere) {
  EXPECT_EQ(stable_hash(""), static_cast<std::int64_t>(0xcbf29ce484222325U));
  EXPECT_EQ(stable_hash("a"), static_cast<std::int64_t>(0xaf63dc4c8601ec8cU));
  EXPECT_NE(stable_hash("message 1"), stable_hash("message 2"));
}

TEST(Outcomes, HaveWordsThatAreFoundAgain) {
  for (const OutcomeRow& row : kOutcomes) {
    if (!row.word.empty()) EXPECT_EQ(find_outcome(row.word), row.outcome);
    EXPECT_FALSE(row.text.empty());
  }
  EXPECT_EQ(find_outcome(""), std::nullopt);
  EXPECT_EQ(find_outcome("no such word"), std::nullopt);
}

}  // namespace
}  // namespace inventory::domain
