#include "app/progress.h"

#include <gtest/gtest.h>

namespace inventory::app {
namespace {

TEST(Progress, IsABarThatFills) {
  EXPECT_EQ(progress_bar("x", 0, 4), "x [                              ] 0 of 4");
  EXPECT_EQ(progress_bar("x", 2, 4), "x [###############               ] 2 of 4");
  EXPECT_EQ(progress_bar("x", 4, 4), "x [##############################] 4 of 4");
  EXPECT_EQ(progress_bar("x", 5, 4), "x [##############################] 5 of 4");
  EXPECT_EQ(progress_bar("x", 0, 0), "x [                              ] 0 of 0");
}

}  // namespace
}  // namespace inventory::app
