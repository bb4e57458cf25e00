#include "domain/hold.h"

#include <gtest/gtest.h>

namespace inventory::domain {
namespace {

TEST(HoldTerms, AreReadAsTheyWereWritten) {
  for (const HoldTerms& terms :
       {HoldTerms{.seconds = 900},
        HoldTerms{.seconds = kHoldSecondsMax, .until = Timestamp(std::chrono::seconds(1))}}) {
    EXPECT_EQ(hold_terms({.key = {}, .terms = text_of(terms)}), terms);
  }
}

TEST(HoldTerms, AreNoneWhereAnEntryHasOthers) {
  EXPECT_FALSE(hold_terms({.key = {}}));
  EXPECT_FALSE(hold_terms({.key = {}, .terms = "set_to, expected 3"}));
  EXPECT_FALSE(hold_terms({.key = {}, .terms = "hold for long"}));
}

}  // namespace
}  // namespace inventory::domain
