#include "ops/log_writer.h"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <poll.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>

namespace inventory::ops {

struct LogWriter::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::string pending;
  std::uint64_t dropped = 0;
  bool writing = false;
  bool ending = false;
};

namespace {

// The number of lines in the rest of a text, including one of which only the beginning was written.
std::uint64_t count_lines(std::string_view text) {
  return static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
}

// Returns the number of lines that were not written. Another process that shares the descriptor may
// have made it non-blocking.
std::uint64_t write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = ::write(descriptor, text.data(), text.size());
    if (size >= 0) {
      text.remove_prefix(static_cast<std::size_t>(size));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      pollfd room{.fd = descriptor, .events = POLLOUT, .revents = 0};
      ::poll(&room, 1, -1);
    } else if (errno != EINTR) {
      return count_lines(text);
    }
  }
  return 0;
}

}  // namespace

LogWriter::LogWriter(int descriptor) : state_(std::make_shared<State>()) {
  std::thread([state = state_, descriptor] {
    std::unique_lock lock(state->mutex);
    for (;;) {
      state->changed.wait(lock, [&] { return !state->pending.empty() || state->ending; });
      if (state->pending.empty()) {
        return;
      }
      const std::string text = std::exchange(state->pending, {});
      state->writing = true;
      lock.unlock();
      const std::uint64_t lost = write_all(descriptor, text);
      lock.lock();
      state->writing = false;
      state->dropped += lost;
      state->changed.notify_all();
    }
  }).detach();
}

LogWriter::~LogWriter() {
  std::unique_lock lock(state_->mutex);
  state_->ending = true;
  state_->changed.notify_all();
  state_->changed.wait_for(lock, kLastWait,
                           [&] { return state_->pending.empty() && !state_->writing; });
}

bool LogWriter::write(std::string_view line) {
  const std::lock_guard lock(state_->mutex);
  if (state_->pending.size() + line.size() > kPendingBytesMax) {
    ++state_->dropped;
    return false;
  }
  state_->pending += line;
  state_->changed.notify_all();
  return true;
}

std::uint64_t LogWriter::dropped() const {
  const std::lock_guard lock(state_->mutex);
  return state_->dropped;
}

}  // namespace inventory::ops
