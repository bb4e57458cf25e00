#include "log/limit.h"

#include <gtest/gtest.h>

namespace inventory::log {
namespace {

using std::chrono::milliseconds;

TEST(Limit, LeavesOutWhatIsTooMuchAndCountsIt) {
  const Limit::TimePoint start{};
  Limit limit(2, milliseconds(10));
  EXPECT_EQ(limit.admit(start), 0U);
  EXPECT_EQ(limit.admit(start + milliseconds(9)), 0U);
  EXPECT_EQ(limit.admit(start + milliseconds(9)), std::nullopt);
  EXPECT_EQ(limit.admit(start + milliseconds(9)), std::nullopt);
  EXPECT_EQ(limit.admit(start + milliseconds(10)), 2U);
  EXPECT_EQ(limit.admit(start + milliseconds(10)), 0U);
}

}  // namespace
}  // namespace inventory::log
