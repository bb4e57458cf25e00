#include "server/page_reader.h"

#include <atomic>
#include <deque>
#include <latch>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "store/testing/empty_reader.h"

namespace inventory::server {
namespace {

using store::Fault;
using Counted = store::Result<store::HoldCounts>;

// What happens to a reader; the test's, which outlives it.
struct Log {
  std::atomic<int> opened = 0;
  std::atomic<int> begun = 0;
  std::atomic<int> ended = 0;
  std::atomic<int> read = 0;
  std::deque<Fault> faults;                  // of the next reads
  std::optional<Fault> unbegun;              // of each begin()
  std::atomic<std::latch*> latch = nullptr;  // that a read waits for
};

class LoggingReader : public store::EmptyReader {
 public:
  explicit LoggingReader(Log& log) : log_(log) { ++log_.opened; }

  store::Result<void> begin() override {
    ++log_.begun;
    if (log_.unbegun) return std::unexpected(store::Error{*log_.unbegun, "no database"});
    return {};
  }
  void end() override { ++log_.ended; }
  Counted count_holds() override {
    ++log_.read;
    if (auto* latch = log_.latch.load()) latch->wait();
    if (log_.faults.empty()) return store::HoldCounts{.open = 7};
    const Fault fault = log_.faults.front();
    log_.faults.pop_front();
    return std::unexpected(store::Error{fault, "no row"});
  }

 private:
  Log& log_;
};

struct CountHolds {
  Counted operator()(store::Reader& reader) const { return reader.count_holds(); }
};

class PageReaderTest : public testing::Test {
 protected:
  // Starts so many reads, and returns their answers when all are there.
  std::vector<Counted> read(std::size_t count) {
    std::vector<Counted> answers;
    for (std::size_t i = 0; i < count; ++i) {
      boost::asio::co_spawn(loop_, reader_.read(CountHolds()),
                            [&](const std::exception_ptr& error, Counted answer) {
                              if (error) std::rethrow_exception(error);
                              answers.push_back(std::move(answer));
                              if (answers.size() == count) loop_.stop();
                            });
    }
    loop_.restart();
    loop_.run();
    return answers;
  }

  Counted read() { return read(1).front(); }

  Log log_;
  boost::asio::io_context loop_{1};
  PageReader reader_{loop_.get_executor(),
                     [this] { return std::make_unique<LoggingReader>(log_); }};
};

TEST_F(PageReaderTest, KeepsItsReaderAndEndsEachRead) {
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(read(), (store::HoldCounts{.open = 7}));
    EXPECT_EQ(log_.begun, i);
  }
  EXPECT_EQ(log_.opened, 1);
  EXPECT_GE(log_.ended, 2);  // the last one perhaps a moment later
}

TEST_F(PageReaderTest, ReadsAgainWhereThatMayHelpButNotForEver) {
  for (const Fault fault : {Fault::retryable, Fault::link_lost, Fault::unavailable}) {
    log_.faults = {fault};
    EXPECT_TRUE(read());
  }
  EXPECT_EQ(log_.read, 6);
  log_.faults = std::deque(kPageReadTriesMax, Fault::retryable);
  EXPECT_FALSE(read());
  for (const Fault fault : {Fault::failing, Fault::refused, Fault::locked}) {
    log_.faults = {fault};
    const auto answer = read();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().fault, fault);
  }
  EXPECT_EQ(log_.read, 6 + kPageReadTriesMax + 3);
}

TEST_F(PageReaderTest, SaysWhatIsWrongWithTheDatabase) {
  log_.unbegun = Fault::link_lost;
  const auto answer = read();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().what, "no database");
  EXPECT_EQ(log_.begun, 1);
}

TEST_F(PageReaderTest, AnswersInTimeWhileTheDatabaseHangsAndForgetsWhatIsLate) {
  std::latch latch(1);
  log_.latch = &latch;
  // The first hangs, the others wait behind it, and there is a bound of those.
  const auto answers = read(kPageReadsMax + 2);
  for (const Counted& answer : answers) EXPECT_FALSE(answer);
  EXPECT_EQ(log_.read, 1);
  log_.latch = nullptr;
  latch.count_down();
  // As soon as the thread has passed over the others, which nobody waits for.
  Counted answer = std::unexpected(store::Error{Fault::unavailable, ""});
  while (!answer) answer = read();
  EXPECT_EQ(log_.read, 2);
}

}  // namespace
}  // namespace inventory::server
