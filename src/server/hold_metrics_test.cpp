#include "server/hold_metrics.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "service/testing/fakes.h"

namespace inventory::server {
namespace {

using Counted = store::Result<store::HoldCounts>;

// Tells what it is to tell.
class CountingReader : public store::Reader {
 public:
  explicit CountingReader(
      Counted counts, std::function<void()> on_count = [] {})
      : counts_(std::move(counts)), on_count_(std::move(on_count)) {}

  store::Result<void> begin() override { return {}; }
  store::Result<std::vector<store::Amount>> stock(domain::ProductId, std::size_t) override {
    return {};
  }
  store::Result<std::vector<store::StoredItem>> items(domain::ProductId, std::size_t,
                                                      std::size_t) override {
    return {};
  }
  store::Result<store::LedgerPart> ledger(const store::LedgerPlace&, std::size_t) override {
    return {};
  }
  store::Result<std::vector<store::OpenHold>> holds(const store::LedgerPlace&,
                                                    std::size_t) override {
    return {};
  }
  Counted count_holds() override {
    on_count_();
    return counts_;
  }

 private:
  Counted counts_;
  std::function<void()> on_count_;
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
    run(metrics);
  }

  void run(HoldMetrics& metrics) {
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

TEST_F(HoldMetricsTest, AreCountedLessOftenWhereACountTakesLong) {
  std::atomic<int> waits = 0;
  std::atomic<int> waits_before_second = 0;
  std::atomic<int> opened = 0;
  const auto take_long = [&] {
    for (const int begun = waits; opened == 1 && waits < begun + 3;) std::this_thread::yield();
  };
  HoldMetrics metrics(
      loop_.get_executor(),
      [&] {
        if (++opened == 2) waits_before_second = waits.load();
        return std::make_unique<CountingReader>(store::HoldCounts(), take_long);
      },
      clock_, registry_);
  clock_.on_sleep = [&] {
    ++waits;
    if (opened >= 2) metrics.stop();
  };
  run(metrics);
  EXPECT_GE(waits_before_second, 3 * 100);
}

}  // namespace
}  // namespace inventory::server
