#include "service/backlog.h"

#include <chrono>
#include <vector>

#include <gtest/gtest.h>

namespace inventory::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using store::Error;
using store::Fault;
using Ids = std::vector<Backlog::Id>;

const Backlog::TimePoint kBegin{};

class BacklogTest : public ::testing::Test {
 protected:
  Backlog::Id add(std::vector<domain::ProductId> products) {
    return backlog_.add(std::move(products), kBegin);
  }
  void fail(Backlog::Id id, Backlog::TimePoint now = kBegin, Fault fault = Fault::failing) {
    backlog_.failed(id, {fault, "no"}, now, {}, {});
  }

  Backlog backlog_;
};

TEST_F(BacklogTest, HoldsBackWhatIsBehindAFailureOfItsProduct) {
  const auto first = add({1});
  const auto second = add({1});
  const auto other = add({2});
  fail(first);
  const auto due = backlog_.due(kBegin);
  EXPECT_EQ(due.first, Ids{other});
  EXPECT_TRUE(due.again.empty());
  EXPECT_EQ(backlog_.unblocked(Ids{second, other}), Ids{other});
  EXPECT_EQ(backlog_.due(kBegin + seconds(1)).again, Ids{first});
  backlog_.remove(first);
  EXPECT_EQ(backlog_.due(kBegin).first, (Ids{second, other}));
}

// The second waits for product 1; who asks for product 2 has nothing to do with that.
TEST_F(BacklogTest, LetsOthersPassOneOfSeveralProductsThatWaits) {
  const auto first = add({1});
  const auto second = add({1, 2});
  const auto third = add({2});
  const auto fourth = add({1});
  fail(first);
  EXPECT_EQ(backlog_.due(kBegin).first, Ids{third});
  EXPECT_EQ(backlog_.unblocked(Ids{second, third, fourth}), Ids{third});
  backlog_.remove(first);
  EXPECT_EQ(backlog_.unblocked(Ids{second, third}), (Ids{second, third}));
  // While all goes well they are tried in their order.
  EXPECT_TRUE(backlog_.unblocked(Ids{third}).empty());
}

TEST_F(BacklogTest, HoldsUpOnlyTheProductsThatAnErrorOfSeveralNames) {
  const auto basket = add({1, 2});
  const auto one = add({1});
  const auto two = add({2});
  backlog_.failed(basket, {Fault::locked, "somebody else holds it", {2}}, kBegin, {}, {});
  EXPECT_EQ(backlog_.due(kBegin).first, Ids{one});
  backlog_.failed(basket, {Fault::failing, "a trigger says no"}, kBegin, {}, {});
  EXPECT_EQ(backlog_.due(kBegin).first, (Ids{one, two}));
  EXPECT_EQ(backlog_.due(kBegin + seconds(60)).again, Ids{basket});
}

TEST_F(BacklogTest, HoldsNothingBackForARequestWithoutProducts) {
  const auto first = add({});
  const auto second = add({});
  fail(first);
  EXPECT_EQ(backlog_.due(kBegin).first, Ids{second});
}

TEST_F(BacklogTest, WaitsLongerAfterEachFailureAndLessForALock) {
  const auto failing = add({1});
  const auto locked = add({2});
  const auto wait = [&](Backlog::Id id) { return backlog_.failure(id)->next_try - kBegin; };
  fail(failing);
  fail(locked, kBegin, Fault::locked);
  EXPECT_EQ(wait(failing), milliseconds(250));
  EXPECT_EQ(wait(locked), milliseconds(50));
  EXPECT_EQ(backlog_.next_try(), kBegin + milliseconds(50));
  fail(failing);
  EXPECT_EQ(wait(failing), milliseconds(500));
  for (int i = 0; i < 20; ++i) {
    fail(failing);
    fail(locked, kBegin, Fault::locked);
  }
  EXPECT_EQ(wait(failing), seconds(15));
  EXPECT_EQ(wait(locked), seconds(5));
}

TEST_F(BacklogTest, TriesWhatTakesLongSeldom) {
  const auto slow = add({1});
  backlog_.failed(slow, {Fault::failing, "a statement takes too long"}, kBegin, seconds(15), {});
  EXPECT_EQ(backlog_.next_try(), kBegin + seconds(60));
}

TEST_F(BacklogTest, GivesOutOnceWhatIsTakenAndNothingBehindIt) {
  const auto first = add({1});
  const auto second = add({1});
  const auto other = add({2});
  backlog_.take(Ids{first});
  EXPECT_EQ(backlog_.due(kBegin).first, Ids{other});
  fail(first);
  EXPECT_TRUE(backlog_.due(kBegin + seconds(1)).again.empty());
  EXPECT_FALSE(backlog_.next_try());
  backlog_.give_back(Ids{first});
  EXPECT_EQ(backlog_.due(kBegin + seconds(1)).again, Ids{first});
  backlog_.remove(first);
  EXPECT_EQ(backlog_.due(kBegin).first, (Ids{second, other}));
}

TEST_F(BacklogTest, DoesNotTryAgainWhatIsBehindOneThatWasNotTried) {
  const auto first = add({1});
  const auto second = add({1, 2});
  fail(second);
  EXPECT_TRUE(backlog_.due(kBegin + seconds(1)).again.empty());
  backlog_.remove(first);
  EXPECT_EQ(backlog_.due(kBegin + seconds(1)).again, Ids{second});
}

// The second waits for product 1; who waits for product 2 alone need not wait with it.
TEST_F(BacklogTest, TriesAgainWhatIsBehindOneThatIsHeldUpByAnother) {
  const auto first = add({1});
  add({1, 2});
  const auto third = add({2});
  fail(first);
  fail(third);
  EXPECT_EQ(backlog_.due(kBegin + seconds(1)).again, (Ids{first, third}));
  EXPECT_TRUE(backlog_.next_try());
}

// Else it would be due, and never tried, for as long as the other hand has what it has.
TEST_F(BacklogTest, TriesAgainWhatIsBehindOneThatWaitsForAnotherHand) {
  const auto failed = add({1});
  const auto taken = add({1, 3});
  add({3, 2});  // waits for the one that is taken
  const auto last = add({2});
  fail(last);
  backlog_.take(Ids{failed, taken});
  fail(failed);
  const auto due = backlog_.due(kBegin + seconds(1)).again;
  EXPECT_EQ(due, Ids{last});
  EXPECT_EQ(backlog_.unblocked(due), due);
}

TEST_F(BacklogTest, SuspectsTheFirstForEachProduct) {
  const auto first = add({1});
  const auto second = add({1});
  const auto other = add({2});
  backlog_.suspect(Ids{first, second, other}, {Fault::failing, "no"}, kBegin);
  EXPECT_EQ(backlog_.due(kBegin).again, (Ids{first, other}));
  EXPECT_TRUE(backlog_.due(kBegin).first.empty());
  backlog_.remove(first);
  EXPECT_EQ(backlog_.due(kBegin).first, Ids{second});
}

TEST_F(BacklogTest, IsNotDueForARequestThatWaitsBehindAnother) {
  const auto first = add({1});
  const auto second = add({1});
  fail(second);  // it was tried before the first came back, in another batch
  fail(first, kBegin + seconds(60));
  EXPECT_EQ(backlog_.next_try(), kBegin + seconds(60) + milliseconds(250));
}

TEST_F(BacklogTest, TriesTheNextByItselfWhereAFailureIsGivenUp) {
  const auto first = add({1});
  const auto second = add({1});
  const auto third = add({1});
  fail(first, kBegin + seconds(5));
  backlog_.give_up(first, kBegin + seconds(200));
  const auto due = backlog_.due(kBegin + seconds(200));
  EXPECT_EQ(due.again, Ids{second});
  EXPECT_TRUE(due.first.empty());
  EXPECT_EQ(backlog_.failure(second)->first, kBegin) << "it has waited since it came";
  EXPECT_EQ(backlog_.failure(third), nullptr);
}

}  // namespace
}  // namespace inventory::service
