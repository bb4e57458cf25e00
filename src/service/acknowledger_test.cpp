#include "service/acknowledger.h"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace inventory::service {
namespace {

using Tags = std::vector<std::uint64_t>;

class AcknowledgerTest : public ::testing::Test {
 protected:
  void receive(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t tag = first; tag <= last; ++tag) acknowledger_.received(tag);
  }
  void settle(std::initializer_list<std::uint64_t> tags) {
    for (const std::uint64_t tag : tags) acknowledger_.settled(tag);
  }
  void expect(std::optional<std::uint64_t> up_to, const Tags& alone) {
    const auto due = acknowledger_.take();
    EXPECT_EQ(due.up_to, up_to);
    EXPECT_EQ(due.alone, alone);
  }

  Acknowledger acknowledger_;
};

TEST_F(AcknowledgerTest, CoversABatchWithOneAcknowledgement) {
  receive(1, 4);
  settle({1, 2, 4, 3});
  expect(4, {});
  expect({}, {});
}

TEST_F(AcknowledgerTest, AcknowledgesAloneWhatIsBehindARequestThatWaits) {
  receive(1, 5);
  settle({1, 3, 5, 4});
  expect(1, {3, 4, 5});
  EXPECT_EQ(acknowledger_.in_hand(), 1U);
  receive(6, 6);
  settle({6});
  expect({}, {6});
}

TEST_F(AcknowledgerTest, GoesBackToOneAcknowledgementWhenTheRequestThatWaitedIsSettled) {
  receive(1, 3);
  settle({2, 3});
  expect({}, {2, 3});
  settle({1});
  expect(1, {});  // not up to 3, which the broker does not wait for any more
  receive(4, 5);
  settle({4, 5});
  expect(5, {});
}

TEST_F(AcknowledgerTest, ForgetsAnotherLink) {
  receive(1, 3);
  settle({2});
  acknowledger_.reset();
  expect({}, {});
  EXPECT_EQ(acknowledger_.in_hand(), 0U);
  receive(1, 1);
  settle({1});
  expect(1, {});
}

// Each tag that was settled is acknowledged exactly once, and no other, in whatever order.
TEST_F(AcknowledgerTest, AcknowledgesEachSettledDeliveryOnce) {
  std::mt19937 random(7);
  std::set<std::uint64_t> waiting;  // at the broker
  Tags in_hand;
  std::uint64_t last = 0;
  for (int step = 0; step < 5'000; ++step) {
    for (auto count = random() % 3; count > 0; --count) {
      acknowledger_.received(++last);
      waiting.insert(last);
      in_hand.push_back(last);
    }
    std::set<std::uint64_t> settled;
    while (!in_hand.empty() && random() % 3 != 0) {
      const auto at = in_hand.begin() + static_cast<std::ptrdiff_t>(random() % in_hand.size());
      acknowledger_.settled(*at);
      settled.insert(*at);
      in_hand.erase(at);
    }
    const auto due = acknowledger_.take();
    if (due.up_to) {
      ASSERT_TRUE(waiting.contains(*due.up_to));
      while (!waiting.empty() && *waiting.begin() <= *due.up_to) {
        ASSERT_TRUE(settled.erase(*waiting.begin()) == 1);
        waiting.erase(waiting.begin());
      }
    }
    for (const std::uint64_t tag : due.alone) {
      ASSERT_TRUE(waiting.erase(tag) == 1);
      ASSERT_TRUE(settled.erase(tag) == 1);
    }
    ASSERT_TRUE(settled.empty());
    ASSERT_EQ(acknowledger_.in_hand(), in_hand.size());
  }
}

}  // namespace
}  // namespace inventory::service
