#include "store/postgres/fault.h"

#include <gtest/gtest.h>

namespace inventory::store::postgres {
namespace {

TEST(FaultOf, SaysThatConflictsMayBeRepeatedAtOnce) {
  for (const auto* sqlstate : {"40001", "40P01", "55P03"}) {
    EXPECT_EQ(fault_of(sqlstate, ""), Fault::retryable) << sqlstate;
  }
}

TEST(FaultOf, TellsAKeyThatAnotherInstanceTookFromAnyOtherUniqueKey) {
  EXPECT_EQ(fault_of("23505", "inventory_ledger_pkey"), Fault::retryable);
  EXPECT_EQ(fault_of("23505", "inventory_item_request_pkey"), Fault::retryable);
  EXPECT_EQ(fault_of("23505", "inventory_pkey"), Fault::retryable);
  EXPECT_EQ(fault_of("23505", "a_key_of_the_owner"), Fault::refused);
}

TEST(FaultOf, BlamesABatchOnlyForItsData) {
  EXPECT_EQ(fault_of("22021", ""), Fault::refused);
  EXPECT_EQ(fault_of("23514", "a_check"), Fault::refused);
  EXPECT_EQ(fault_of("23P01", "an_exclusion"), Fault::refused);
  EXPECT_EQ(fault_of("54000", "", "indextuple.c"), Fault::refused);  // too long for an index
}

TEST(FaultOf, DoesNotBlameABatchForALimitOfTheDatabase) {
  for (const auto* source : {"varsup.c", "multixact.c", "md.c", "bufmgr.c"}) {
    EXPECT_EQ(fault_of("54000", "", source), Fault::unavailable) << source;
  }
}

TEST(Fault, DoesNotBlameARequestForAMistakeOfTheSchema) {
  EXPECT_EQ(fault_of("2200H", ""), Fault::unavailable);  // the sequence is exhausted
  EXPECT_EQ(fault_of("23502", ""), Fault::unavailable);  // a column without a default
  EXPECT_EQ(fault_of("23000", ""), Fault::unavailable);  // a trigger
  for (const auto* sqlstate : {"25006", "53100", "53300", "57P01", "57P03", "57014", "42501",
                               "42P01", "3F000", "28P01", "3D000", "0A000", "26000", "XX001"}) {
    EXPECT_EQ(fault_of(sqlstate, ""), Fault::unavailable) << sqlstate;
  }
}

TEST(FaultOf, KeepsAnUnknownOutcomeUnknown) {
  EXPECT_EQ(fault_of("40003", ""), Fault::in_doubt);
  EXPECT_EQ(fault_of("08007", ""), Fault::in_doubt);
}

TEST(FaultOf, TakesSilenceForALostLink) {
  EXPECT_EQ(fault_of("", ""), Fault::link_lost);
  EXPECT_EQ(fault_of("08006", ""), Fault::link_lost);
}

}  // namespace
}  // namespace inventory::store::postgres
