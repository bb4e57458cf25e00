#include "server/hold_metrics.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <exception>
#include <map>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "service/testing/fakes.h"
#include "store/testing/empty_reader.h"

namespace inventory::server {
namespace {

using Counted = store::Result<store::HoldCounts>;

// Tells what it is to tell.
class CountingReader : public store::EmptyReader {
 public:
  explicit CountingReader(Counted counts) : counts_(std::move(counts)) {}

  Counted count_holds() override { return counts_; }

 private:
  Counted counts_;
};

class HoldMetricsTest : public testing::Test {
 protected:
  // Counts once for each of these, and goes on until they are shown.
  void count(std::deque<Counted> answers) {
    // One that is opened shows that the count before was shown.
    answers.push_back(answers.back());
    std::atomic<std::size_t> opened = 0;
    HoldMetrics metrics(
        loop_.get_executor(),
        [&] {
          return std::make_unique<CountingReader>(
              answers.at(std::min(opened++, answers.size() - 1)));
        },
        clock_, registry_);
    clock_.on_sleep = [&] {
      if (opened >= answers.size()) metrics.stop();
    };
    boost::asio::co_spawn(loop_, metrics.run(), [](const std::exception_ptr& error) {
      if (error) std::rethrow_exception(error);
    });
    loop_.restart();
    loop_.run();
  }

  std::map<std::string, double> gauges() const {
    std::map<std::string, double> values;
    for (const auto& family : registry_.Collect()) {
      values[family.name] = family.metric.at(0).gauge.value;
    }
    return values;
  }

  boost::asio::io_context loop_{1};
  service::testing::FakeClock clock_;
  prometheus::Registry registry_;
};

TEST_F(HoldMetricsTest, ShowWhatIsCountedAndKeepItWhereNothingCanBe) {
  const store::Error gone{store::Fault::link_lost, "gone"};
  const std::map<std::string, double> counted{{"inventory_holds_open", 7},
                                              {"inventory_holds_due", 2},
                                              {"inventory_hold_overdue_seconds", 1.5}};
  count({store::HoldCounts{.open = 7, .due = 2, .overdue = std::chrono::milliseconds(1'500)},
         std::unexpected(gone)});
  EXPECT_EQ(gauges(), counted);
}

TEST_F(HoldMetricsTest, FallToNothing) {
  count({store::HoldCounts{.open = 7, .due = 2, .overdue = std::chrono::milliseconds(1'500)},
         store::HoldCounts()});
  for (const auto& [name, value] : gauges()) EXPECT_EQ(value, 0) << name;
}

}  // namespace
}  // namespace inventory::server
