#include "server/history.h"

#include <gmock/gmock.h>

namespace inventory::server {
namespace {

using std::chrono::seconds;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::SizeIs;

constexpr double kLimits[] = {0.001, 0.01, 0.1};

auto about(double value) { return Optional(DoubleNear(value, 1e-9)); }

TEST(Quantile, IsInterpolatedWithinItsBucket) {
  EXPECT_THAT(quantile(0.5, kLimits, History::Counts{0, 10, 0, 0}), about(0.0055));
  EXPECT_THAT(quantile(0.5, kLimits, History::Counts{10, 0, 0, 0}), about(0.0005));
  EXPECT_THAT(quantile(0.99, kLimits, History::Counts{50, 49, 1, 0}), about(0.01));
  EXPECT_THAT(quantile(0.995, kLimits, History::Counts{50, 49, 1, 0}), about(0.055));
  EXPECT_THAT(quantile(0.5, kLimits, History::Counts{1, 0, 0, 1}), about(0.001));
  EXPECT_THAT(quantile(1, kLimits, History::Counts{1, 0, 1, 0}), about(0.1));
}

TEST(Quantile, IsTheLastLimitWhereItLiesBeyondAll) {
  EXPECT_THAT(quantile(0.99, kLimits, History::Counts{1, 0, 0, 1}), about(0.1));
  EXPECT_THAT(quantile(0.5, kLimits, History::Counts{0, 0, 0, 7}), about(0.1));
}

TEST(Quantile, IsNothingOfNothing) {
  EXPECT_EQ(quantile(0.5, kLimits, History::Counts{0, 0, 0, 0}), std::nullopt);
}

class HistoryTest : public ::testing::Test {
 protected:
  // A look after some time, where so many more took as long as each bucket says.
  void look(seconds after, const History::Counts& more) {
    now_ += after;
    for (std::size_t i = 0; i < more.size(); ++i) counts_[i] += more[i];
    history_.add(now_, counts_);
  }

  History::TimePoint now_{};
  History::Counts counts_ = {5, 5, 5, 5};
  History history_{kLimits};
};

TEST_F(HistoryTest, IsWhatWasDoneBetweenTwoLooks) {
  EXPECT_THAT(history_.points(), IsEmpty());
  look(seconds(5), {100, 0, 0, 0});
  EXPECT_THAT(history_.points(), IsEmpty());
  look(seconds(5), {10, 0, 0, 0});
  look(seconds(5), {0, 0, 0, 0});
  look(seconds(5), {0, 0, 10, 2});
  ASSERT_THAT(history_.points(), SizeIs(3));
  EXPECT_EQ(history_.points()[0].done, 10);
  EXPECT_THAT(history_.points()[0].p50_seconds, about(0.0005));
  EXPECT_THAT(history_.points()[0].p99_seconds, about(0.00099));
  EXPECT_EQ(history_.points()[1], (History::Point{.done = 0}));
  EXPECT_EQ(history_.points()[2].done, 12);
  EXPECT_THAT(history_.points()[2].p50_seconds, about(0.01 + 0.09 * 0.6));
  EXPECT_THAT(history_.points()[2].p99_seconds, about(0.1));
}

TEST_F(HistoryTest, ForgetsTheOldest) {
  look(seconds(5), {});
  for (std::uint64_t i = 0; i < 300; ++i) look(seconds(5), {i});
  ASSERT_THAT(history_.points(), SizeIs(History::kPointsMax));
  EXPECT_EQ(history_.points().front().done, 180);
  EXPECT_EQ(history_.points().back().done, 299);
}

TEST_F(HistoryTest, HasNoPointsOfTheTimeInWhichTheProcessStoodStill) {
  look(seconds(5), {});
  look(seconds(6), {1});
  look(seconds(16), {2});
  const History::Point none;
  ASSERT_THAT(history_.points(), SizeIs(4));
  EXPECT_THAT(std::vector(history_.points().begin() + 1, history_.points().begin() + 3),
              ElementsAre(none, none));
  EXPECT_EQ(history_.points()[0].done, 1);
  EXPECT_EQ(history_.points()[3].done, 2);
  look(seconds(86'400), {3});
  ASSERT_THAT(history_.points(), SizeIs(History::kPointsMax));
  EXPECT_EQ(history_.points()[0], none);
  EXPECT_EQ(history_.points().back().done, 3);
}

TEST_F(HistoryTest, TakesALookThatComesEarlyForOneMore) {
  look(seconds(5), {});
  look(seconds(1), {1});
  EXPECT_THAT(history_.points(), SizeIs(1));
}

}  // namespace
}  // namespace inventory::server
