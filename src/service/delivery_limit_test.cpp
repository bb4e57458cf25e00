#include "service/delivery_limit.h"

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include "amqp/wire.h"
#include "service/clock.h"

namespace inventory::service {
namespace {

using amqp::QueueTerms;
using amqp::QueueType;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DeliveryLimitTest : public ::testing::Test {
 public:
  DeliveryLimitTest() : before_(spdlog::default_logger()) {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log_);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
  }
  ~DeliveryLimitTest() override { spdlog::set_default_logger(before_); }

  void deliver(std::int64_t before) {
    std::vector<amqp::Delivery> requests(3);
    std::string count;
    amqp::append_integer(count, static_cast<std::uint64_t>(before));
    requests[1].properties.headers.emplace("\x10x-delivery-countl" + count);
    requests[1].redelivered = before > 0;
    limit_.delivered(requests);
  }

  std::string logged() {
    std::string text = log_.str();
    log_.str("");
    return text;
  }

  std::shared_ptr<spdlog::logger> before_;
  std::ostringstream log_;
  SystemClock clock_;
  DeliveryLimit limit_{"orders", clock_};
};

constexpr QueueTerms kLimited{.type = QueueType::quorum, .delivery_limit = 20};

TEST_F(DeliveryLimitTest, SaysThatAQueueHasALimitOnceHoweverOftenItIsJoined) {
  limit_.examined(kLimited);
  EXPECT_THAT(logged(), HasSubstr("orders: the broker drops a request that was delivered more "
                                  "than 20 times"));
  EXPECT_EQ(limit_.limit(), 20);
  EXPECT_THAT(limit_.note(), HasSubstr("more than 20 times"));
  limit_.examined(kLimited);
  EXPECT_THAT(logged(), IsEmpty());
}

TEST_F(DeliveryLimitTest, SaysNothingOfAQueueWithoutOneOrThatTheBrokerTellsNothingOf) {
  for (const QueueTerms terms :
       {QueueTerms{}, QueueTerms{.type = QueueType::classic}, QueueTerms{.type = QueueType::quorum},
        QueueTerms{.type = QueueType::quorum, .delivery_limit = amqp::kNoDeliveryLimit}}) {
    limit_.examined(terms);
    EXPECT_EQ(limit_.limit(), std::nullopt);
    EXPECT_THAT(limit_.note(), IsEmpty());
  }
  EXPECT_THAT(logged(), IsEmpty());
}

TEST_F(DeliveryLimitTest, ForgetsTheLimitOfAQueueThatWasMadeAnew) {
  limit_.examined(kLimited);
  limit_.examined({.type = QueueType::quorum, .delivery_limit = amqp::kNoDeliveryLimit});
  EXPECT_EQ(limit_.limit(), std::nullopt);
}

TEST_F(DeliveryLimitTest, WarnsOfARequestThatComesNearTheLimit) {
  limit_.examined({.type = QueueType::quorum, .delivery_limit = 6});
  logged();
  deliver(2);
  EXPECT_THAT(logged(), IsEmpty());
  deliver(3);
  EXPECT_THAT(logged(), HasSubstr("orders: a request was delivered 3 times before; the broker "
                                  "drops a request that was delivered more than 6 times"));
  deliver(4);
  EXPECT_THAT(logged(), IsEmpty()) << "lines like it are left out";
}

TEST_F(DeliveryLimitTest, WarnsOfARequestThatWasReturnedOftenSinceAPolicyMaySetALimit) {
  deliver(9);
  EXPECT_THAT(logged(), IsEmpty());
  deliver(10);
  EXPECT_THAT(logged(), HasSubstr("orders: a request was delivered 10 times before; the broker "
                                  "drops it where a policy sets a limit"));
}

}  // namespace
}  // namespace inventory::service
