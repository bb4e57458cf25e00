#include "terminal/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "terminal/printable.h"

namespace inventory::terminal {
namespace {

constexpr std::chrono::milliseconds kInterval{100};
constexpr std::size_t kBarColumns = 30;
constexpr std::size_t kBarColumnsMin = 4;  // a shorter one shows too little

// Before this time and this share, the time left cannot be estimated.
constexpr std::chrono::seconds kPaceKnownAfter{5};
constexpr double kPaceKnownAtShare = 0.01;

std::string bar_with(std::string_view what, double share, const std::string& text,
                     std::size_t columns) {
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
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(bar));
  return fmt::format("{} [{:<{}}] {}", what, std::string(filled, '#'), bar, text);
}

std::string time_text(std::chrono::seconds time) {
  if (time < std::chrono::minutes(2)) return fmt::format("{} s", time.count());
  const auto minutes = std::chrono::round<std::chrono::minutes>(time).count();
  return minutes < 120 ? fmt::format("{} min", minutes)
                       : fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

}  // namespace

std::string progress_bar(std::string_view what, std::size_t done, std::size_t total,
                         std::size_t columns) {
  const double share =
      total == 0 ? 0 : static_cast<double>(std::min(done, total)) / static_cast<double>(total);
  return bar_with(what, share, fmt::format("{} of {}", done, total), columns);
}

std::string share_bar(std::string_view what, double share, std::chrono::seconds elapsed,
                      std::size_t columns) {
  auto text = fmt::format("{:.0f} %", 100 * share);
  if (elapsed >= kPaceKnownAfter && share >= kPaceKnownAtShare) {
    const double left = static_cast<double>(elapsed.count()) * (1 - share) / share;
    text += fmt::format(", {} left", time_text(std::chrono::seconds(std::llround(left))));
  }
  return bar_with(what, share, text, columns);
}

void Progress::update(std::size_t done, std::size_t total) {
  if (may_draw()) draw(progress_bar(what_, done, total, terminal_columns(STDERR_FILENO)));
}

void Progress::update_share(double share) {
  if (!may_draw()) return;
  const auto elapsed =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began_);
  draw(share_bar(what_, share, elapsed, terminal_columns(STDERR_FILENO)));
}

bool Progress::may_draw() { return is_shown_ && std::chrono::steady_clock::now() >= next_draw_; }

void Progress::draw(const std::string& bar) {
  next_draw_ = std::chrono::steady_clock::now() + kInterval;
  is_drawn_ = true;
  fmt::print(stderr, "\r{}\x1b[K", bar);
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
