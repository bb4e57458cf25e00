#include "service/sweeper.h"

#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "contract/expiry_message.h"
#include "service/testing/fakes.h"

namespace inventory::service {
namespace {

using std::chrono::seconds;
using testing::FakeBroker;
using testing::FakeClock;
using testing::FakeStore;

class SweeperTest : public ::testing::Test {
 protected:
  void hold(int id, seconds due, std::optional<domain::ProductId> product = {}) {
    const domain::LedgerKey key(product.value_or(id + 1), fmt::format("i{}", id));
    store_.tables.holds[key] = {.key = key, .quantity = 1, .expires_at = domain::Timestamp(due)};
  }

  // Sweeps until the clock has been waited for so many times.
  void sweep(int times) {
    const int until = waits_ + times;
    clock_.on_sleep = [this, until] {
      if (++waits_ >= until) sweeper_->stop();
    };
    run();
  }

  void run() {
    sweeper_ = std::make_unique<Sweeper>(
        context_.get_executor(), SweeperOptions{.queue = "expiry", .page = 10, .awaited_max = 40},
        broker_, store_, clock_);
    boost::asio::co_spawn(context_, sweeper_->run(), [](const std::exception_ptr& error) {
      if (error) std::rethrow_exception(error);
    });
    context_.restart();
    context_.run();
  }

  std::multiset<std::string> asked() const {
    std::multiset<std::string> identities;
    for (const auto& message : broker_.published()) {
      EXPECT_EQ(message.routing_key, "expiry");
      identities.insert(contract::read_expiry(message.body, 1'000).value().identity);
    }
    return identities;
  }

  boost::asio::io_context context_;
  FakeBroker broker_{context_.get_executor()};
  FakeStore store_;
  FakeClock clock_;
  std::unique_ptr<Sweeper> sweeper_;
  int waits_ = 0;
};

TEST_F(SweeperTest, AsksForWhatIsDueAndForNothingElse) {
  store_.tables.now = domain::Timestamp(seconds(100));
  hold(1, seconds(100));
  hold(2, seconds(101));
  sweep(1);
  EXPECT_EQ(asked(), (std::multiset<std::string>{"i1"}));
  EXPECT_EQ(store_.tables.holds.size(), 2U) << "it changes nothing itself";
}

TEST_F(SweeperTest, ConnectsOnlyWhereSomethingIsDue) {
  sweep(5);
  EXPECT_EQ(broker_.opened(), 0);
}

TEST_F(SweeperTest, AsksForManyAtOnceAndForEachAgainOnlyAfterAWhile) {
  store_.tables.now = domain::Timestamp(seconds(100));
  for (int id = 0; id < 35; ++id) hold(id, seconds(id));
  sweep(1);
  EXPECT_EQ(asked().size(), 35U);
  sweep(1);  // another instance, or the next after a crash
  EXPECT_EQ(asked().size(), 70U);
  sweep(20);
  EXPECT_EQ(asked().size(), 105U);
  sweep(40);
  EXPECT_EQ(asked().size(), 175U) << "twice in forty seconds";
}

TEST_F(SweeperTest, AsksLessAndLessForWhatCannotBeGivenBack) {
  hold(1, seconds(0));
  sweep(600);
  EXPECT_EQ(asked().size(), 5U) << "after 0, 30, 90, 210 and 450 seconds";
}

TEST_F(SweeperTest, AsksForNoMoreThanAreGivenBackInTheEnd) {
  for (int id = 0; id < 100; ++id) hold(id, seconds(id));
  store_.tables.now = domain::Timestamp(seconds(100));
  int passes = 0;
  clock_.on_sleep = [&] {
    if (++passes == 3) {
      EXPECT_EQ(asked().size(), 40U);
      std::erase_if(store_.tables.holds, [](const auto& one) {
        return one.second.expires_at.time_since_epoch() < seconds(15);
      });
    }
    if (passes == 5) sweeper_->stop();
  };
  run();
  EXPECT_EQ(asked().size(), 55U) << "fifteen were given back";
}

TEST_F(SweeperTest, AsksForOthersWhereAProductsHoldsCannotBeGivenBack) {
  store_.tables.now = domain::Timestamp(seconds(1'000));
  for (int id = 1; id <= 100; ++id) hold(id, seconds(id), 1);
  hold(101, seconds(101), 2);
  sweep(3);
  EXPECT_TRUE(asked().contains("i101"));
  EXPECT_EQ(broker_.published().size(), 11U) << "ten of the first product, and the other's";
}

// Else it would remember all that it has ever asked for within a minute.
TEST_F(SweeperTest, RemembersNoHoldThatWasGivenBack) {
  hold(1, seconds(0));
  int passes = 0;
  clock_.on_sleep = [&] {
    ++passes;
    if (passes == 1) store_.tables.holds.clear();
    if (passes == 2) hold(1, seconds(0));  // as after a restored backup
    if (passes == 3) sweeper_->stop();
  };
  run();
  EXPECT_EQ(asked().size(), 2U);
}

TEST_F(SweeperTest, SaysWhatItsProblemIsUntilThereIsNone) {
  hold(1, seconds(0));
  broker_.fail_opens(1);
  sweep(1);
  EXPECT_EQ(sweeper_->problem(), "holds that are over cannot be given back: connection refused");
  store_.due_faults = 1;
  sweep(1);
  EXPECT_EQ(sweeper_->problem(), "holds that are over cannot be looked for: a fault of the test");
  store_.due_faults = 1;
  sweep(2);
  EXPECT_EQ(sweeper_->problem(), "");
  EXPECT_EQ(asked().size(), 1U);
}

TEST_F(SweeperTest, GoesOnWhereABrokerOrAQueueFailed) {
  hold(1, seconds(0));
  broker_.fail_opens(2);
  int rejections = 2;
  broker_.on_publish = [&](const amqp::Message&) -> amqp::Result<amqp::Settlement> {
    if (rejections-- > 0) return amqp::Settlement::rejected;
    return amqp::Settlement::confirmed;
  };
  sweep(4);
  EXPECT_EQ(asked().size(), 0U);
  sweep(1);
  EXPECT_EQ(asked().size(), 1U);
}

TEST_F(SweeperTest, ConnectsAgainWhereTheConnectionWasLostMeanwhile) {
  hold(1, seconds(0));
  int waits = 0;
  std::string problems;
  clock_.on_sleep = [&] {
    problems += sweeper_->problem();
    if (++waits == 1) {
      broker_.lose_outlets();
      hold(2, seconds(0));
    } else {
      sweeper_->stop();
    }
  };
  run();
  EXPECT_EQ(asked(), (std::multiset<std::string>{"i1", "i2"}));
  EXPECT_EQ(broker_.opened(), 2);
  EXPECT_EQ(problems, "") << "nobody need know";
}

TEST_F(SweeperTest, EndsWhileTheDatabaseDoesNotAnswer) {
  bool has_hung = false;
  store_.hangs_on_due = [&] {
    has_hung = true;
    boost::asio::post(context_, [this] { sweeper_->stop(); });
  };
  run();
  EXPECT_TRUE(has_hung);
}

TEST_F(SweeperTest, EndsWhileTheQueueDoesNotAnswer) {
  hold(1, seconds(0));
  broker_.silent.insert("expiry");
  sweep(3);
  EXPECT_EQ(asked().size(), 0U);
}

}  // namespace
}  // namespace inventory::service
