#include "store/postgres/fault.h"

#include <gtest/gtest.h>

namespace inventory::store::postgres {
namespace {

Fault of(std::string_view sqlstate) {
  return fault_of({.sqlstate = sqlstate, .constraint = {}, .source_file = {}});
}

Fault of_constraint(std::string_view constraint) {
  return fault_of({.sqlstate = "23505", .constraint = constraint, .source_file = {}});
}

Fault from(std::string_view source_file, std::string_view sqlstate) {
  return fault_of({.sqlstate = sqlstate, .constraint = {}, .source_file = source_file});
}

Fault at_the_end(std::string_view sqlstate) {
  return fault_of(
      {.sqlstate = sqlstate, .constraint = {}, .source_file = {}, .ends_the_session = true});
}

Fault in_a_function(std::string_view sqlstate) {
  return fault_of({.sqlstate = sqlstate, .constraint = {}, .source_file = {}, .has_context = true});
}

TEST(FaultOf, TakesWhatAFunctionMeetsForTheRowsThatItWasCalledFor) {
  for (const auto* sqlstate : {"25001", "25006", "26000", "53100", "53300", "57P01", "08001"}) {
    EXPECT_EQ(in_a_function(sqlstate), Fault::failing) << sqlstate;
  }
}

TEST(FaultOf, SaysThatConflictsMayBeRepeatedAtOnce) {
  for (const auto* sqlstate : {"40000", "40001", "40002", "40P01"}) {
    EXPECT_EQ(of(sqlstate), Fault::retryable) << sqlstate;
  }
}

TEST(FaultOf, TellsALockThatSomebodyElseKeeps) { EXPECT_EQ(of("55P03"), Fault::locked); }

TEST(FaultOf, TellsAKeyThatAnotherInstanceTookFromAnyOtherUniqueKey) {
  EXPECT_EQ(of_constraint("inventory_ledger_pkey"), Fault::retryable);
  EXPECT_EQ(of_constraint("inventory_item_request_pkey"), Fault::retryable);
  EXPECT_EQ(of_constraint("inventory_pkey"), Fault::retryable);
  EXPECT_EQ(of_constraint("a_key_of_the_owner"), Fault::refused);
}

TEST(FaultOf, BlamesABatchOnlyForItsData) {
  EXPECT_EQ(of("22021"), Fault::refused);
  EXPECT_EQ(of("23514"), Fault::refused);                    // a CHECK
  EXPECT_EQ(of("23P01"), Fault::refused);                    // an EXCLUDE
  EXPECT_EQ(from("indextuple.c", "54000"), Fault::refused);  // too long for an index
}

TEST(FaultOf, DoesNotBlameABatchForALimitOfTheDatabase) {
  for (const auto* source : {"varsup.c", "multixact.c", "md.c", "bufmgr.c", "async.c"}) {
    EXPECT_EQ(from(source, "54000"), Fault::unavailable) << source;
  }
}

TEST(FaultOf, HoldsUpEverybodyForTheServerAsAWholeAndTheSessionOnly) {
  for (const auto* sqlstate :
       {"25000", "25006", "25P02", "53000", "53100", "53200", "53300", "57000", "57P01", "57P03"}) {
    EXPECT_EQ(of(sqlstate), Fault::unavailable) << sqlstate;
  }
  EXPECT_EQ(from("plancache.c", "0A000"), Fault::unavailable);
  EXPECT_EQ(from("rls.c", "42501"), Fault::unavailable);
}

TEST(FaultOf, LeavesEverythingElseToTheRequestsThatMeetIt) {
  for (const auto* sqlstate :
       {"P0001", "23000", "23001", "23502", "23503", "2200H", "42501", "42P01", "42883",
        "3F000", "0A000", "55000", "55006", "57014", "53400", "58030", "58P01", "54001",
        "08006", "08001", "21000", "2F003", "38000", "39P01", "HV000", "44000", "F0000",
        "26000", "XX000", "XX001", "XX002", "ABCDE", "99999"}) {
    EXPECT_EQ(of(sqlstate), Fault::failing) << sqlstate;
  }
}

TEST(FaultOf, TakesNoFunctionsWordForTheStateOfTheServer) {
  for (const auto* sqlstate : {"08006", "25006", "53100", "57P01", "26000", "08007", "40003"}) {
    EXPECT_NE(from("pl_exec.c", sqlstate), Fault::unavailable) << sqlstate;
    EXPECT_NE(from("pl_exec.c", sqlstate), Fault::in_doubt) << sqlstate;
  }
}

TEST(FaultOf, IsNeverOfOneRequestWhereTheSessionEnds) {
  for (const auto* sqlstate : {"57P01", "25P03", "53300", "28P01", "3D000", "XX000", "P0001"}) {
    EXPECT_EQ(at_the_end(sqlstate), Fault::unavailable) << sqlstate;
  }
  EXPECT_EQ(at_the_end("08006"), Fault::link_lost);
}

TEST(FaultOf, KeepsAnUnknownOutcomeUnknown) {
  EXPECT_EQ(of("40003"), Fault::in_doubt);
  EXPECT_EQ(of("08007"), Fault::in_doubt);
}

TEST(FaultOf, TakesSilenceForALostLink) { EXPECT_EQ(of(""), Fault::link_lost); }

TEST(MayBeOfTheSession, SuspectsWhatGrowsOldInASession) {
  for (const auto* sqlstate : {"0A000", "XX000", "42P01", "42804"}) {
    EXPECT_TRUE(may_be_of_the_session(sqlstate)) << sqlstate;
  }
  for (const auto* sqlstate : {"P0001", "42501", "23503", "40001", "55P03", "57014"}) {
    EXPECT_FALSE(may_be_of_the_session(sqlstate)) << sqlstate;
  }
}

}  // namespace
}  // namespace inventory::store::postgres
