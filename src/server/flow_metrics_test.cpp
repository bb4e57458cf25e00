#include "server/flow_metrics.h"

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <prometheus/text_serializer.h>

namespace inventory::server {
namespace {

using service::Condition;
using service::Outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class FlowMetricsTest : public ::testing::Test {
 protected:
  std::string text() { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

  prometheus::Registry registry_;
  static constexpr std::array kOutcomes{Outcome::accepted, Outcome::conflict};
  FlowMetrics metrics_{registry_, "orders", kOutcomes};
};

TEST_F(FlowMetricsTest, HasEverySeriesFromTheStart) {
  EXPECT_THAT(text(), HasSubstr(R"(inventory_decisions_total{outcome="accepted",queue="orders",)"
                                R"(reason=""} 0)"));
  EXPECT_THAT(text(), HasSubstr(R"(inventory_retries_total{fault="in_doubt",queue="orders"} 0)"));
  EXPECT_THAT(text(), Not(HasSubstr(R"(outcome="added")")));
}

TEST_F(FlowMetricsTest, TellsWhatIsInHandAndHowLongRequestsTook) {
  EXPECT_THAT(metrics_.process_counts(), SizeIs(FlowMetrics::process_limits().size() + 1));
  EXPECT_THAT(metrics_.process_counts(), Each(0U));
  const FlowMetrics::TimePoint now{seconds(100)};
  const std::vector delivered{now, now - milliseconds(5), now - milliseconds(7), now - seconds(99)};
  metrics_.received(6);
  metrics_.waiting(2);
  metrics_.put_aside(1);
  metrics_.acknowledged({}, delivered, now);
  EXPECT_EQ(metrics_.now().in_flight, 2U);
  EXPECT_EQ(metrics_.now().replies_waiting, 2U);
  EXPECT_EQ(metrics_.now().put_aside, 1U);
  const auto counts = metrics_.process_counts();
  EXPECT_EQ(FlowMetrics::process_limits()[3], 0.005);
  EXPECT_EQ(counts[0], 1U);
  EXPECT_EQ(counts[3], 1U);
  EXPECT_EQ(counts[4], 1U);
  EXPECT_EQ(counts.back(), 1U);
}

TEST_F(FlowMetricsTest, CountsABatchWithEachRequestsTimeFromDeliveryToAcknowledgement) {
  service::Tally tally;
  tally.decided.at(static_cast<std::size_t>(Outcome::accepted)) = 2;
  tally.decided.at(static_cast<std::size_t>(Outcome::too_large)) = 1;
  tally.replays = 1;
  const FlowMetrics::TimePoint now{seconds(100)};
  const std::vector delivered{now, now - milliseconds(5), now - milliseconds(7), now - seconds(99)};
  metrics_.received(4);
  EXPECT_THAT(text(), HasSubstr(R"(inventory_messages_in_flight{queue="orders"} 4)"));
  metrics_.decided(tally, milliseconds(3));
  metrics_.published({.confirmed = 3, .returned = 1, .given_up = 1});
  metrics_.settled(milliseconds(2));
  metrics_.acknowledged(tally, delivered, now);
  for (const char* line : {
           R"(messaging_client_consumed_messages_total{queue="orders"} 4)",
           R"(messaging_client_sent_messages_total{queue="orders"} 3)",
           R"(inventory_decisions_total{outcome="accepted",queue="orders",reason=""} 2)",
           R"(inventory_dead_letters_total{queue="orders",reason="too_large"} 1)",
           R"(inventory_replays_total{queue="orders"} 1)",
           R"(inventory_replies_returned_total{queue="orders"} 1)",
           R"(inventory_replies_given_up_total{queue="orders"} 1)",
           R"(inventory_messages_in_flight{queue="orders"} 0)",
           R"(inventory_batch_messages_bucket{queue="orders",le="2"} 0)",
           R"(inventory_batch_messages_bucket{queue="orders",le="5"} 1)",
           R"(messaging_process_duration_seconds_bucket{queue="orders",le="0.0005"} 1)",
           R"(messaging_process_duration_seconds_bucket{queue="orders",le="0.005"} 2)",
           R"(messaging_process_duration_seconds_bucket{queue="orders",le="60"} 3)",
           R"(messaging_process_duration_seconds_bucket{queue="orders",le="+Inf"} 4)",
           R"(messaging_process_duration_seconds_sum{queue="orders"} 99.012)",
           R"(inventory_stage_duration_seconds_sum{queue="orders",stage="decide"} 0.003)",
           R"(inventory_stage_duration_seconds_sum{queue="orders",stage="publish"} 0.002)",
       }) {
    EXPECT_THAT(text(), HasSubstr(line));
  }
}

TEST_F(FlowMetricsTest, CountsSessionsAfterTheFirst) {
  metrics_.connected();
  EXPECT_THAT(text(), HasSubstr(R"(inventory_reconnects_total{queue="orders"} 0)"));
  metrics_.received(7);
  metrics_.disconnected();
  metrics_.connected();
  EXPECT_THAT(text(), HasSubstr(R"(inventory_reconnects_total{queue="orders"} 1)"));
  EXPECT_THAT(text(), HasSubstr(R"(inventory_messages_in_flight{queue="orders"} 0)"));
}

TEST_F(FlowMetricsTest, CountsBlockedTimeWhileItLasts) {
  metrics_.refresh({}, {}, std::chrono::steady_clock::now() + seconds(9));
  EXPECT_THAT(text(), HasSubstr(R"(inventory_blocked_seconds_total{queue="orders"} 0)"));
  metrics_.blocked(true);
  metrics_.blocked(true);
  metrics_.refresh({}, {}, std::chrono::steady_clock::now() + seconds(9));
  for (const auto& family : registry_.Collect()) {
    if (family.name == "inventory_blocked_seconds_total") {
      EXPECT_GE(family.metric[0].counter.value, 9);
    }
  }
}

TEST_F(FlowMetricsTest, ShowsOneCondition) {
  metrics_.refresh({Condition::consuming, ""}, {}, {});
  metrics_.refresh({Condition::broker_unavailable, ""}, {}, {});
  EXPECT_THAT(text(),
              HasSubstr(R"(inventory_condition{condition="broker_unavailable",queue="orders"} 1)"));
  EXPECT_THAT(text(), HasSubstr(R"(inventory_condition{condition="consuming",queue="orders"} 0)"));
}

TEST_F(FlowMetricsTest, TellsTheDeliveryLimitOfAQueueThatHasOne) {
  EXPECT_THAT(text(), HasSubstr(R"(inventory_delivery_limit{queue="orders"} 0)"));
  metrics_.refresh({}, 20, {});
  EXPECT_THAT(text(), HasSubstr(R"(inventory_delivery_limit{queue="orders"} 20)"));
  metrics_.refresh({}, {}, {});
  EXPECT_THAT(text(), HasSubstr(R"(inventory_delivery_limit{queue="orders"} 0)"));
}

}  // namespace
}  // namespace inventory::server
