#pragma once

// LogWriter: writes lines to a file descriptor on a thread of its own, so that no caller blocks on
// a full pipe, a full disk or a stopped terminal.
//
// Invariants:
//   1. write() never waits for the descriptor.
//   2. At most kPendingBytesMax wait to be written. A line for which there is no room, or that
//      cannot be written, is dropped and counted.
//
// Threads:   any may call write() and dropped().
// Destroyed: waits until all lines are written, but at most kLastWait; the rest is lost.

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

  // Returns whether there was room for the line, which must end with a newline.
  bool write(std::string_view line);

  // The number of lines dropped so far.
  std::uint64_t dropped() const;

 private:
  struct State;  // outlives the writer if the thread hangs in the kernel

  std::shared_ptr<State> state_;
};

}  // namespace inventory::ops
