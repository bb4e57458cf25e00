#include "terminal/progress.h"

#include <algorithm>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "terminal/printable.h"

namespace inventory::terminal {
namespace {

constexpr std::chrono::milliseconds kInterval{100};
constexpr std::size_t kBarColumns = 30;
constexpr std::size_t kBarColumnsMin = 4;  // a shorter one says nothing

}  // namespace

std::string progress_bar(std::string_view what, std::size_t done, std::size_t total,
                         std::size_t columns) {
  const std::string text = fmt::format("{} of {}", done, total);
  std::size_t bar = kBarColumns;
  if (columns > 0) {
    const auto is_character = [](char byte) { return (byte & 0xC0) != 0x80; };  // of UTF-8
    const auto beside = static_cast<std::size_t>(std::ranges::count_if(what, is_character)) +
                        std::string_view(" [] ").size() + text.size();
    bar = std::min(bar, columns - 1 - std::min(columns - 1, beside));
    if (bar < kBarColumnsMin) {
      const std::size_t left = columns - 1 - std::min(columns - 1, text.size() + 1);
      return left == 0 ? text.substr(0, columns - 1) : fmt::format("{} {}", cut(what, left), text);
    }
  }
  const std::size_t filled = total == 0 ? 0 : std::min(done, total) * bar / total;
  return fmt::format("{} [{:<{}}] {}", what, std::string(filled, '#'), bar, text);
}

void Progress::update(std::size_t done, std::size_t total) {
  const auto now = std::chrono::steady_clock::now();
  if (!is_shown_ || now < next_draw_) return;
  next_draw_ = now + kInterval;
  is_drawn_ = true;
  fmt::print(stderr, "\r{}\x1b[K",
             progress_bar(what_, done, total, terminal_columns(STDERR_FILENO)));
}

void Progress::clear() {
  if (!is_drawn_) return;
  is_drawn_ = false;
  fmt::print(stderr, "\r\x1b[K");
}

bool is_terminal(int descriptor) { return isatty(descriptor) == 1; }

std::size_t terminal_columns(int descriptor) {
  winsize size{};
  if (!is_terminal(descriptor) || ioctl(descriptor, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

}  // namespace inventory::terminal
