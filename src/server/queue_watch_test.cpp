#include "server/queue_watch.h"

#include <exception>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>

#include "service/testing/fakes.h"

namespace inventory::server {
namespace {

using amqp::QueueCount;
using std::chrono::seconds;
using ::testing::Optional;

// What a broker and its connections do, and what was asked of them.
struct CountedBroker {
  bool is_there = true;
  bool is_silent = false;
  std::map<std::string, QueueCount> queues;
  std::string deadly;  // asked for it, the broker ends the connection
  int opened = 0;
  int closed = 0;
  int open = 0;
  std::vector<std::string> asked;
};

class CountedQueues : public QueueCounter {
 public:
  explicit CountedQueues(CountedBroker& broker) : broker_(broker) { ++broker_.open; }
  ~CountedQueues() override { --broker_.open; }

  amqp::Task<amqp::Result<QueueCount>> count(std::string queue) override {
    broker_.asked.push_back(queue);
    if (broker_.is_silent) {
      boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor,
                                      boost::asio::steady_timer::time_point::max());
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    if (queue == broker_.deadly || !broker_.is_there) {
      co_return std::unexpected(amqp::Error{amqp::Fault::link_lost, "gone"});
    }
    const auto found = broker_.queues.find(queue);
    if (found == broker_.queues.end()) {
      co_return std::unexpected(amqp::Error{amqp::Fault::refused, "no such queue", 404});
    }
    co_return found->second;
  }
  amqp::Task<void> close() override {
    ++broker_.closed;
    co_return;
  }

 private:
  CountedBroker& broker_;
};

class QueueWatchTest : public ::testing::Test {
 public:
  QueueWatchTest() {
    broker_.queues = {{"a", {1, 10}}, {"b", {2, 20}}, {"c", {3, 30}}};
    boost::asio::co_spawn(context_, watch_.run(), [this](const std::exception_ptr& error) {
      ended_ = true;
      EXPECT_EQ(error, nullptr);
    });
    settle();
  }
  ~QueueWatchTest() override {
    watch_.stop();
    settle();
    EXPECT_TRUE(ended_);
    EXPECT_EQ(broker_.open, 0);
  }

 protected:
  amqp::Task<amqp::Result<std::unique_ptr<QueueCounter>>> open() {
    ++broker_.opened;
    if (!broker_.is_there) co_return std::unexpected(amqp::Error{amqp::Fault::link_lost, "away"});
    co_return std::make_unique<CountedQueues>(broker_);
  }

  // Time passes by itself while it counts, and stands while it waits for somebody to look.
  void settle() {
    context_.restart();
    context_.poll();
  }
  seconds time() const {
    return std::chrono::floor<seconds>(clock_.steady_now().time_since_epoch());
  }

  CountedBroker broker_;
  boost::asio::io_context context_;
  service::testing::FakeClock clock_;
  bool ended_ = false;
  QueueWatch watch_{context_.get_executor(), [this] { return open(); }, clock_, {"a", "b", "c"}};
};

TEST_F(QueueWatchTest, DoesNothingUntilSomebodyLooks) {
  EXPECT_EQ(broker_.opened, 0);
  EXPECT_EQ(watch_.count_of("a"), std::nullopt);
}

TEST_F(QueueWatchTest, CountsOverOneConnectionForHalfAMinuteAfterALook) {
  std::optional<QueueCount> count;
  clock_.on_sleep = [&] { count = watch_.count_of("b"); };
  watch_.look();
  settle();
  EXPECT_THAT(count, Optional(QueueCount{2, 20}));
  EXPECT_EQ(broker_.asked.size(), 3U * 7) << "at 0, 5, ..., 30 seconds";
  EXPECT_EQ(broker_.opened, 1);
  EXPECT_EQ(broker_.closed, 1) << "in order";
  EXPECT_EQ(broker_.open, 0);
  watch_.look();
  settle();
  EXPECT_EQ(broker_.opened, 2);
}

TEST_F(QueueWatchTest, GoesOnWhileSomebodyLooks) {
  clock_.on_sleep = [&] {
    if (time() < seconds(300)) watch_.look();
  };
  watch_.look();
  settle();
  EXPECT_EQ(broker_.opened, 1);
  EXPECT_GE(broker_.asked.size(), 3U * 60);
}

TEST_F(QueueWatchTest, KnowsNothingOfAQueueThatIsNotThere) {
  broker_.queues.erase("b");
  clock_.on_sleep = [&] {
    if (time() == seconds(5)) {
      EXPECT_EQ(watch_.count_of("b"), std::nullopt);
      EXPECT_THAT(watch_.count_of("c"), Optional(QueueCount{3, 30}));
      broker_.queues.erase("c");
    } else if (time() == seconds(10)) {
      EXPECT_EQ(watch_.count_of("c"), std::nullopt) << "gone meanwhile";
      broker_.queues["b"] = {7, 70};
    } else if (time() == seconds(15)) {
      EXPECT_THAT(watch_.count_of("b"), Optional(QueueCount{7, 70}));
    }
  };
  watch_.look();
  settle();
  EXPECT_EQ(broker_.opened, 1) << "a queue that is refused costs no connection";
}

TEST_F(QueueWatchTest, LosesNoOtherCountToAQueueForWhichTheBrokerEndsTheConnection) {
  broker_.deadly = "b";
  int seen = 0;
  clock_.on_sleep = [&] {
    if (time() < seconds(10) || time() > seconds(30)) return;
    EXPECT_THAT(watch_.count_of("a"), Optional(QueueCount{1, 10}));
    EXPECT_EQ(watch_.count_of("b"), std::nullopt);
    EXPECT_THAT(watch_.count_of("c"), Optional(QueueCount{3, 30}));
    ++seen;
  };
  watch_.look();
  settle();
  EXPECT_GE(seen, 4);
}

TEST_F(QueueWatchTest, KnowsNothingMoreWhileTheBrokerIsAwayAndComesBackByItself) {
  int seen = 0;
  clock_.on_sleep = [&] {
    if (time() < seconds(100)) watch_.look();
    if (time() == seconds(10)) broker_.is_there = false;
    if (time() == seconds(30)) {
      EXPECT_EQ(watch_.count_of("a"), std::nullopt) << "too old";
      broker_.is_there = true;
      ++seen;
    }
    if (time() == seconds(40)) {
      EXPECT_THAT(watch_.count_of("a"), Optional(QueueCount{1, 10}));
      ++seen;
    }
  };
  watch_.look();
  settle();
  EXPECT_EQ(seen, 2);
}

TEST_F(QueueWatchTest, StopsWhileTheBrokerDoesNotAnswer) {
  broker_.is_silent = true;
  watch_.look();
  settle();
  EXPECT_FALSE(ended_);
  EXPECT_EQ(broker_.open, 1);
  watch_.stop();
  settle();
  EXPECT_TRUE(ended_);
}

}  // namespace
}  // namespace inventory::server
