#include "service/log_throttle.h"

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>

#include "service/testing/fakes.h"

namespace inventory::service {
namespace {

using std::chrono::seconds;

class LogThrottleTest : public ::testing::Test {
 public:
  LogThrottleTest() {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_st>(out_)));
    spdlog::set_pattern("%v");
  }
  ~LogThrottleTest() override { spdlog::set_default_logger(before_); }

 protected:
  void pass(seconds duration) {
    passed_ += duration;
    clock_.pass(duration);
  }

  // What was written since the last call.
  std::string logged() {
    std::string text = out_.str();
    out_.str("");
    return text;
  }

  std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
  std::ostringstream out_;
  testing::FakeClock clock_;
  seconds passed_{0};
  LogThrottle throttle_{clock_};
};

TEST_F(LogThrottleTest, WritesTheFirstAndThenAtGrowingIntervals) {
  std::vector<seconds::rep> written;
  for (int second = 0; second < 3'600; ++second) {
    throttle_.warn("database", "away");
    if (!logged().empty()) {
      written.push_back(passed_.count());
    }
    pass(seconds(1));
  }
  EXPECT_THAT(written, ::testing::ElementsAre(0, 10, 30, 70, 150, 310, 610, 910, 1210, 1510, 1810,
                                              2110, 2410, 2710, 3010, 3310));
}

TEST_F(LogThrottleTest, SaysHowManyWereLeftOut) {
  for (int second = 0; second < 10; ++second) {
    throttle_.warn("database", "away");
    pass(seconds(1));
  }
  EXPECT_EQ(logged(), "away\n");
  throttle_.warn("database", "still away");
  EXPECT_EQ(logged(), "still away (9 lines like it left out)\n");
}

TEST_F(LogThrottleTest, WritesAnotherFaultAndANewOneAtOnce) {
  throttle_.warn("database", "away");
  throttle_.warn("broker", "away as well");
  throttle_.reset();
  throttle_.warn("broker", "away again");
  EXPECT_EQ(logged(), "away\naway as well\naway again\n");
}

}  // namespace
}  // namespace inventory::service
