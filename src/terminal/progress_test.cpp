#include "terminal/progress.h"

#include <gtest/gtest.h>

namespace inventory::terminal {
namespace {

TEST(Progress, IsABarThatFills) {
  EXPECT_EQ(progress_bar("x", 0, 4, 0), "x [                              ] 0 of 4");
  EXPECT_EQ(progress_bar("x", 2, 4, 0), "x [###############               ] 2 of 4");
  EXPECT_EQ(progress_bar("x", 4, 4, 0), "x [##############################] 4 of 4");
  EXPECT_EQ(progress_bar("x", 5, 4, 0), "x [##############################] 5 of 4");
  EXPECT_EQ(progress_bar("x", 0, 0, 0), "x [                              ] 0 of 0");
}

TEST(Progress, TellsTheTimeThatIsLeftOnceThePaceIsKnown) {
  using std::chrono::hours;
  using std::chrono::seconds;
  EXPECT_EQ(share_bar("x", 0.5, seconds(4), 30), "x [##########          ] 50 %");
  EXPECT_EQ(share_bar("x", 0.001, seconds(60), 30), "x [                     ] 0 %");
  EXPECT_EQ(share_bar("x", 0.5, seconds(60), 0),
            "x [###############               ] 50 %, 60 s left");
  EXPECT_EQ(share_bar("x", 0.25, seconds(100), 0),
            "x [#######                       ] 25 %, 5 min left");
  EXPECT_EQ(share_bar("x", 0.5, hours(3), 0),
            "x [###############               ] 50 %, 3 h 0 min left");
}

TEST(Progress, StaysShorterThanTheTerminal) {
  EXPECT_EQ(progress_bar("x", 2, 4, 43), "x [###############               ] 2 of 4");
  EXPECT_EQ(progress_bar("é", 2, 4, 20), "é [####    ] 2 of 4");
  EXPECT_EQ(progress_bar("letters", 2, 4, 20), "letters 2 of 4");
  EXPECT_EQ(progress_bar("lettérs", 2, 4, 13), "lett… 2 of 4");
  EXPECT_EQ(progress_bar("letters", 2, 4, 7), "2 of 4");
  EXPECT_EQ(progress_bar("letters", 2, 4, 4), "2 o");
  EXPECT_EQ(progress_bar("letters", 2, 4, 1), "");
}

}  // namespace
}  // namespace inventory::terminal
