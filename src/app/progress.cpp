#include "app/progress.h"

#include <algorithm>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/format.h>

namespace inventory::app {
namespace {

constexpr std::chrono::milliseconds kInterval{100};
constexpr std::size_t kBarColumns = 30;

}  // namespace

std::string progress_bar(std::string_view what, std::size_t done, std::size_t total) {
  const std::size_t filled = total == 0 ? 0 : std::min(done, total) * kBarColumns / total;
  return fmt::format("{} [{:<{}}] {} of {}", what, std::string(filled, '#'), kBarColumns, done,
                     total);
}

void Progress::update(std::size_t done, std::size_t total) {
  const auto now = std::chrono::steady_clock::now();
  if (!is_shown_ || now < next_draw_) return;
  next_draw_ = now + kInterval;
  is_drawn_ = true;
  fmt::print(stderr, "\r{}\x1b[K", progress_bar(what_, done, total));
}

void Progress::clear() {
  if (!is_drawn_) return;
  is_drawn_ = false;
  fmt::print(stderr, "\r\x1b[K");
}

bool is_terminal(int descriptor) { return isatty(descriptor) == 1; }

std::size_t terminal_columns() {
  winsize size{};
  if (!is_terminal(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

}  // namespace inventory::app
