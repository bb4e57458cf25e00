#include "cli/commands/route.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/testing/command_lines.h"

namespace inventory::cli {
namespace {

using testing::HasSubstr;

TEST(RouteCommand, NeedsToKnowHowManyPartitionsThereAre) {
  for (const char* partition : {"--partition=none", "--partition=3/16"}) {
    EXPECT_THAT(test::error_of({"route", partition}), HasSubstr("route: needs --partition all/"));
  }
  EXPECT_TRUE(test::parse({"route", "--partition", "all/16"}));
}

TEST(RouteCommand, RefusesNamesThatLeaveNoRoomForThoseOfItsOwnQueues) {
  const std::string name(247, 'q');
  EXPECT_THAT(test::error_of({"route", "--partition=all/16", "--item-queue=" + name}),
              HasSubstr("too long"));
}

TEST(RouteCommand, RefusesToRouteTwoKindsFromOrToOneQueue) {
  EXPECT_THAT(test::error_of({"route", "--partition=all/4", "--order-queue=none"}),
              HasSubstr("order-queue (flag --order-queue) takes"));
  EXPECT_THAT(
      test::error_of({"route", "--partition=all/4", "--order-queue=X", "--cancel-queue=X.1"}),
      HasSubstr("another name than the queue for partition 1 of order-queue"));
}

}  // namespace
}  // namespace inventory::cli
