#include "domain/entry_name.h"

#include <gtest/gtest.h>

#include "domain/adjustment.h"
#include "domain/hold.h"

namespace inventory::domain {
namespace {

EntryName read(std::string_view identity, Outcome outcome = Outcome::accepted) {
  return read_entry_name(identity, outcome);
}

TEST(EntryName, HasTheKindAndTheIdsOfItsRequest) {
  const OrderId number(17);
  const OrderId text("17");
  const std::string line = order_identity(text, OrderId("é"));
  EXPECT_EQ(read("i17"), (EntryName{EntryKind::order, number}));
  EXPECT_EQ(read("s17"), (EntryName{EntryKind::order, text}));
  EXPECT_EQ(read(line), (EntryName{EntryKind::order, text, OrderId("é")}));
  EXPECT_EQ(read(cancelled_identity("i17")), (EntryName{EntryKind::cancellation, number}));
  EXPECT_EQ(read(confirmed_identity("s17")), (EntryName{EntryKind::confirmation, text}));
  EXPECT_EQ(read(expired_identity(line)), (EntryName{EntryKind::expiry, text, OrderId("é")}));
  EXPECT_EQ(read("ai17"), (EntryName{EntryKind::adjustment, number}));
  EXPECT_EQ(read("opening"), (EntryName{EntryKind::opening}));
}

TEST(EntryName, OfACancellationThatCameFirstIsNotAnOrders) {
  EXPECT_EQ(read("i17", Outcome::cancelled_first),
            (EntryName{EntryKind::cancellation, OrderId(17)}));
}

TEST(EntryName, OfWhatWasEnteredByHandHasNoId) {
  for (const char* identity : {"", "correction 2026-11-23 1", "open", "i", "i1x", "ix", "l", "l3:",
                               "l99:i1s2", "l-1:i1s2", "al2:i1s2", "c", "f", "x", "a", "z"}) {
    EXPECT_EQ(read(identity), EntryName()) << identity;
  }
}

TEST(AdjustmentTerms, AreReadAsTheyAreWritten) {
  const Adjustment change{.id = OrderId(1), .product = 1, .change = 5};
  Adjustment count{.id = OrderId(1), .product = 1, .set_to = 5};
  EXPECT_EQ(read_adjustment_terms(change.terms()), AdjustmentTerms());
  EXPECT_EQ(read_adjustment_terms(count.terms()), AdjustmentTerms{.sets = true});
  count.expected = 0;
  EXPECT_EQ(read_adjustment_terms(count.terms()), (AdjustmentTerms{.sets = true, .expected = 0}));
  for (const char* terms :
       {"", "hold 900", "set_to 5", "set_to, expected ", "set_to, expected 5x"}) {
    EXPECT_FALSE(read_adjustment_terms(terms)) << terms;
  }
}

}  // namespace
}  // namespace inventory::domain
