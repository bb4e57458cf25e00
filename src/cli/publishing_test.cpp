#include "cli/publishing.h"

#include <gtest/gtest.h>

namespace inventory::cli {
namespace {

TEST(WhyNotTaken, NamesTheQueueAndNothingThatATerminalObeys) {
  EXPECT_EQ(why_not_taken(amqp::Settlement::confirmed, "q"), "");
  EXPECT_EQ(why_not_taken(amqp::Settlement::returned, "q\x1b"), "there is no queue q\\x1b");
  EXPECT_EQ(why_not_taken(amqp::Settlement::rejected, "q"), "queue q rejects messages");
  EXPECT_EQ(why_not_taken(amqp::Settlement::too_large, "q"),
            "its properties do not fit in a frame");
}

}  // namespace
}  // namespace inventory::cli
