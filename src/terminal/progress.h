#pragma once

// Progress: a progress bar on standard error, if that is a terminal.

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace inventory::terminal {

class Progress {
 public:
  // is_shown: whether there is a terminal to draw on; see is_terminal().
  Progress(std::string what, bool is_shown) : what_(std::move(what)), is_shown_(is_shown) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  // Draws the bar, at most ten times a second.
  void update(std::size_t done, std::size_t total);

  // The same if only the share that is done is known, 0 to 1; with an estimate of the time left.
  void update_share(double share);

  // Removes the bar, so that something else can be printed.
  void clear();

 private:
  bool may_draw();
  void draw(const std::string& bar);

  const std::string what_;
  const bool is_shown_;
  bool is_drawn_ = false;
  std::chrono::steady_clock::time_point next_draw_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

// The bar for a share, "comparing [#####     ] 50 %, 2 min left"; without the time until it can be
// estimated.
std::string share_bar(std::string_view what, double share, std::chrono::seconds elapsed,
                      std::size_t columns);

// The bar as text, "replaying orders.dlq [#####     ] 512 of 1024": shorter than `columns`, because
// a full line might wrap (0: no limit).
std::string progress_bar(std::string_view what, std::size_t done, std::size_t total,
                         std::size_t columns);

bool is_terminal(int descriptor);

// The width of the terminal in columns; 0 if the descriptor is not a terminal.
std::size_t terminal_columns(int descriptor);

}  // namespace inventory::terminal
