#pragma once

// LogWriter: writes lines to a file descriptor on a thread of its own, so that nobody waits for
// whoever reads them: a pipe that is full, a disk that is, a terminal that was stopped.
//
// Invariants:
//   1. write() never waits for the descriptor.
//   2. At most kPendingBytesMax wait to be written. A line for which there is no room is dropped
//      and counted, and so is one that cannot be written.
//
// Threads:   any may call write() and dropped().
// Destroyed: waits until all is written, but at most kLastWait; what is left then is lost.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace inventory::ops {

class LogWriter {
 public:
  static constexpr std::size_t kPendingBytesMax = std::size_t{512} * 1024;
  static constexpr std::chrono::milliseconds kLastWait{1'000};

  explicit LogWriter(int descriptor);
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  ~LogWriter();

  // Whether there was room for the line, which ends with its line end.
  bool write(std::string_view line);

  // The number of lines so far.
  std::uint64_t dropped() const;

 private:
  struct State;  // outlives the writer where the thread hangs in the kernel

  std::shared_ptr<State> state_;
};

}  // namespace inventory::ops
