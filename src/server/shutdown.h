#pragma once

// Shutdown: the end of a program that runs until a signal.
//
// SIGTERM or SIGINT begins it: what is in flight is finished, within a budget. A second signal, or
// the end of the budget, stops the event loop at once; what was in flight stays unacknowledged, and
// the broker delivers it again.
//
// Threads: that of the context, which outlives it, as does the service manager.

#include <chrono>
#include <exception>
#include <functional>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "ops/service_manager.h"

namespace inventory::server {

// Why a check fails meanwhile.
inline constexpr std::string_view kFinishing = "finishing what is in flight";

// A coroutine that ends with an exception has met a bug: there is nothing that could go on.
inline void rethrow(const std::exception_ptr& error) {
  if (error) std::rethrow_exception(error);
}

class Shutdown {
 public:
  // Signals are taken from now on. `on_begin` is called once, to stop what runs.
  Shutdown(boost::asio::io_context& context, ops::ServiceManager& manager,
           std::chrono::seconds budget, std::function<void()> on_begin);

  // Waits for signals until finish(), or until the event loop is stopped.
  boost::asio::awaitable<void> run();

  // All that ran has ended by itself: nothing is waited for any more.
  void finish();

  bool has_begun() const { return has_begun_; }

  // 0; 1 where the event loop was stopped.
  int exit_status() const { return exit_status_; }

 private:
  boost::asio::awaitable<void> keep_to_budget();
  void stop_at_once(std::string_view why);

  boost::asio::io_context& context_;
  ops::ServiceManager& manager_;
  std::chrono::seconds budget_;
  std::function<void()> on_begin_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer end_;  // of the budget
  bool has_begun_ = false;
  int exit_status_ = 0;
};

}  // namespace inventory::server
