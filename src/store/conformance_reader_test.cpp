// What a caller of Reader relies on, whichever the adapter.

#include <limits>

#include <gmock/gmock.h>

#include "store/conformance.h"

namespace inventory::store::conformance {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kFirst = std::numeric_limits<domain::ProductId>::min();
constexpr auto kLast = std::numeric_limits<domain::ProductId>::max();

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
  const auto items = reader->items(kFirst, 10);
  ASSERT_TRUE(items) << items.error().what;
  ASSERT_EQ(items->size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const domain::Item& expected = added[i].item;
    EXPECT_EQ((*items)[i], (StoredItem{expected.id, expected.quantity, expected.description,
                                       expected.created_at}));
  }
  const auto second = reader->items(added[0].item.id, 10);
  ASSERT_TRUE(second && second->size() == 1);
  EXPECT_EQ(second->front().id, added[1].item.id);
  EXPECT_TRUE(reader->items(added[1].item.id, 10)->empty());
}

TEST_P(Conformance, AddsUpTheLedgerOfARangeOfProducts) {
  migrate();
  const auto first = product(5);
  const auto second = product(6);
  const auto sold_out = product(1);
  const auto last = product(8);
  decide({order(1, first, 2), order(2, first, 9), order(3, sold_out, 1), order(4, last + 100, 1)});
  const auto reader = begun(*database_);
  EXPECT_THAT(value(reader->ledger_sums(kFirst, kLast)),
              ElementsAre(Amount{first, 3}, Amount{second, 6}, Amount{last, 8}));
  EXPECT_THAT(value(reader->ledger_sums(first, sold_out)), ElementsAre(Amount{second, 6}));
}

TEST_P(Conformance, ReadsTheDatabaseAsItWasAtOneMomentBesideAStoreThatDecides) {
  migrate();
  const auto shirt = product(5);
  const auto reader = begun(*database_);
  EXPECT_EQ(decide({order(1, shirt, 2)}), OrderDecisions{kAccepted});  // nobody waits for a reader
  EXPECT_THAT(value(reader->stock(kFirst, 10)), ElementsAre(Amount{shirt, 5}));
  EXPECT_EQ(decide({order(2, shirt, 2)}), OrderDecisions{kAccepted});
  EXPECT_THAT(value(reader->ledger_sums(kFirst, kLast)), ElementsAre(Amount{shirt, 5}));
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
