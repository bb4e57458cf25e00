// What a caller of Reader relies on, whichever the adapter.

#include <limits>
#include <map>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/testing/conformance.h"

namespace inventory::store::conformance {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::size_t kBytes = 1 << 20;
constexpr auto kFirst = std::numeric_limits<domain::ProductId>::min();

std::vector<Amount> value(Result<std::vector<Amount>> amounts) {
  if (!amounts) {
    throw std::runtime_error(amounts.error().what);
  }
  return std::move(*amounts);
}

std::unique_ptr<Reader> begun(TestDatabase& database) {
  auto reader = database.open_reader();
  if (auto begun = reader->begin(); !begun) {
    throw std::runtime_error(begun.error().what);
  }
  return reader;
}

TEST_P(Conformance, ReadsStockPageByPage) {
  migrate();
  const auto first = product(5);
  const auto second = product(0);
  const auto third = product(7);
  const auto reader = begun(*database_);
  EXPECT_THAT(value(reader->stock(kFirst, 2)), ElementsAre(Amount{first, 5}, Amount{second, 0}));
  EXPECT_THAT(value(reader->stock(second, 2)), ElementsAre(Amount{third, 7}));
  EXPECT_THAT(value(reader->stock(third, 2)), IsEmpty());
}

TEST_P(Conformance, ReadsItemsPageByPage) {
  migrate();
  const auto added =
      add({{std::nullopt, 5, "Blue \"é\"", domain::Timestamp(std::chrono::microseconds(1))},
           {std::nullopt, 0, std::nullopt, domain::Timestamp()}});
  const auto reader = begun(*database_);
  const auto items = reader->items(kFirst, 10, kBytes);
  ASSERT_TRUE(items) << items.error().what;
  ASSERT_EQ(items->size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const domain::Item& expected = added[i].item;
    EXPECT_EQ((*items)[i], (StoredItem{expected.id, expected.quantity, expected.description,
                                       expected.created_at}));
  }
  const auto second = reader->items(added[0].item.id, 10, kBytes);
  ASSERT_TRUE(second && second->size() == 1);
  EXPECT_EQ(second->front().id, added[1].item.id);
  EXPECT_TRUE(reader->items(added[1].item.id, 10, kBytes)->empty());
}

TEST_P(Conformance, AddsUpTheLedgerOfARangeOfProducts) {
  migrate();
  const auto first = product(5);
  const auto second = product(6);
  const auto sold_out = product(1);
  const auto last = product(8);
  decide({order(1, first, 2), order(2, first, 9), order(3, sold_out, 1), order(4, last + 100, 1)});
  const auto reader = begun(*database_);
  const auto whole = reader->ledger({}, 100);
  ASSERT_TRUE(whole) << whole.error().what;
  EXPECT_THAT(whole->sums, ElementsAre(Amount{first, 3}, Amount{second, 6}, Amount{sold_out, 0},
                                       Amount{last, 8}, Amount{last + 100, 0}));
  EXPECT_FALSE(whole->next);

  // Entry by entry it comes to the same.
  std::map<domain::ProductId, domain::Quantity> sums;
  int parts = 0;
  for (LedgerPlace place;; ++parts) {
    const auto part = reader->ledger(place, 1);
    ASSERT_TRUE(part) << part.error().what;
    for (const Amount& sum : part->sums) sums[sum.product] += sum.quantity;
    if (!part->next) break;
    place = *part->next;
  }
  EXPECT_EQ(parts, 8);  // four openings, four orders
  for (const Amount& sum : whole->sums) EXPECT_EQ(sums[sum.product], sum.quantity);
}

TEST_P(Conformance, EndsAPageOfItemsWhereTheirDescriptionsAreTooLong) {
  migrate();
  const std::string text(1'000, 'x');
  const auto added =
      add({{std::nullopt, 1, text, {}}, {std::nullopt, 1, text, {}}, {std::nullopt, 1, text, {}}});
  const auto reader = begun(*database_);
  EXPECT_EQ(reader->items(kFirst, 10, 2'000)->size(), 2U);
  EXPECT_EQ(reader->items(kFirst, 10, 1'999)->size(), 1U);
  EXPECT_EQ(reader->items(kFirst, 10, 1)->size(), 1U);  // else reading would not go on
  EXPECT_EQ(reader->items(added[1].item.id, 10, 1)->size(), 1U);
}

TEST_P(Conformance, LeavesOutADescriptionThatIsLongerThanAnyOfTheServices) {
  migrate();
  database_->execute(fmt::format(
      "INSERT INTO inventory (id, quantity, description, created_at) VALUES "
      "(1, 1, '{}', '2026-11-23 03:00:00'), (2, 1, '{}', '2026-11-23 03:00:00')",
      std::string(kDescriptionBytesShown, 'x'), std::string(kDescriptionBytesShown + 1, 'x')));
  const auto items = begun(*database_)->items(kFirst, 10, 10 * kDescriptionBytesShown);
  ASSERT_TRUE(items) << items.error().what;
  EXPECT_EQ(items->at(0).description->size(), kDescriptionBytesShown);
  EXPECT_FALSE(items->at(0).has_long_description);
  EXPECT_FALSE(items->at(1).description);
  EXPECT_TRUE(items->at(1).has_long_description);
}

TEST_P(Conformance, ReadsTheDatabaseAsItWasAtOneMomentBesideAStoreThatDecides) {
  migrate();
  const auto shirt = product(5);
  const auto reader = begun(*database_);
  EXPECT_EQ(decide({order(1, shirt, 2)}), OrderDecisions{kAccepted});  // nobody waits for a reader
  EXPECT_THAT(value(reader->stock(kFirst, 10)), ElementsAre(Amount{shirt, 5}));
  EXPECT_EQ(decide({order(2, shirt, 2)}), OrderDecisions{kAccepted});
  EXPECT_THAT(reader->ledger({}, 10)->sums, ElementsAre(Amount{shirt, 5}));
  ASSERT_TRUE(reader->begin());
  EXPECT_THAT(value(reader->stock(kFirst, 10)), ElementsAre(Amount{shirt, 1}));
}

TEST_P(Conformance, ReadsWhatIsLeftWhenTheStoreIsClosed) {
  migrate();
  const auto shirt = product(5);
  store_.reset();
  EXPECT_THAT(value(begun(*database_)->stock(kFirst, 10)), ElementsAre(Amount{shirt, 5}));
}

TEST_P(Conformance, ReadsNothingWhereNobodyHasMigrated) {
  const auto begun = database_->open_reader()->begin();
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().fault, Fault::unavailable);
}

}  // namespace
}  // namespace inventory::store::conformance
