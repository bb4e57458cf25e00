#include "ops/log_writer.h"

#include <array>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <string>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

namespace inventory::ops {
namespace {

class Pipe {
 public:
  Pipe() {
    std::signal(SIGPIPE, SIG_IGN);  // as the program does
    EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_reader();
    if (ends_[1] >= 0) ::close(ends_[1]);
  }

  // A thread that nobody waits for may be writing to it.
  void leave_writer_open() { ends_[1] = -1; }

  int writer() const { return ends_[1]; }

  void close_reader() {
    if (ends_[0] >= 0) ::close(ends_[0]);
    ends_[0] = -1;
  }

  // Waits for so many bytes.
  std::string read(std::size_t size) const {
    std::string text(size, '\0');
    std::size_t at = 0;
    while (at < size) {
      const ssize_t got = ::read(ends_[0], text.data() + at, size - at);
      if (got <= 0) break;
      at += static_cast<std::size_t>(got);
    }
    text.resize(at);
    return text;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

TEST(LogWriter, WritesLinesInTheirOrder) {
  const Pipe pipe;
  LogWriter writer(pipe.writer());
  EXPECT_TRUE(writer.write("one\n"));
  EXPECT_TRUE(writer.write("two\n"));
  EXPECT_EQ(pipe.read(8), "one\ntwo\n");
  EXPECT_EQ(writer.dropped(), 0U);
}

TEST(LogWriter, DropsAndCountsWhatNobodyReadsInsteadOfWaiting) {
  const Pipe pipe;
  const std::string line = std::string(1'023, 'x') + '\n';
  std::uint64_t taken = 0;
  LogWriter writer(pipe.writer());
  constexpr int kLines = 4'096;
  for (int i = 0; i < kLines; ++i) {
    taken += writer.write(line) ? 1 : 0;
  }
  EXPECT_GT(writer.dropped(), 0U);
  EXPECT_EQ(taken + writer.dropped(), static_cast<std::uint64_t>(kLines));
  // What was taken is there as soon as somebody reads, and there is room again.
  EXPECT_EQ(pipe.read(taken * line.size()).size(), taken * line.size());
  EXPECT_TRUE(writer.write("again\n"));
  EXPECT_EQ(pipe.read(6), "again\n");
}

TEST(LogWriter, EndsThoughNobodyReads) {
  Pipe pipe;
  const auto begin = std::chrono::steady_clock::now();
  {
    LogWriter writer(pipe.writer());
    const std::string line = std::string(65'535, 'x') + '\n';
    for (int i = 0; i < 7; ++i) writer.write(line);
  }
  pipe.leave_writer_open();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST(LogWriter, WritesWhatIsLeftBeforeItEnds) {
  const Pipe pipe;
  {
    LogWriter(pipe.writer()).write("the last\n");
  }
  EXPECT_EQ(pipe.read(9), "the last\n");
}

TEST(LogWriter, CountsWhatCannotBeWritten) {
  Pipe pipe;
  pipe.close_reader();
  LogWriter writer(pipe.writer());
  EXPECT_TRUE(writer.write("one\ntwo\n"));
  while (writer.dropped() == 0) std::this_thread::yield();
  EXPECT_EQ(writer.dropped(), 2U);
}

TEST(LogWriter, WaitsForRoomWhereTheDescriptorDoesNotBlock) {
  const Pipe pipe;
  ASSERT_EQ(::fcntl(pipe.writer(), F_SETFL, O_NONBLOCK), 0);
  LogWriter writer(pipe.writer());
  const std::string line = std::string(99'999, 'x') + '\n';
  EXPECT_TRUE(writer.write(line));
  EXPECT_TRUE(writer.write(line));
  EXPECT_EQ(pipe.read(200'000), line + line);
  EXPECT_EQ(writer.dropped(), 0U);
}

}  // namespace
}  // namespace inventory::ops
