#pragma once

// Shutdown: ends a program that runs until a signal.
//
// SIGTERM or SIGINT begins it: requests in flight are finished, within a budget. A second signal,
// or the end of the budget, stops the event loop at once; requests in flight then stay
// unacknowledged, and the broker delivers them again.
//
// Threads: the context's. The context and the service manager must outlive it.

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

// The problem of a check that fails during the shutdown.
inline constexpr std::string_view kFinishing = "finishing what is in flight";

// A coroutine that ends with an exception has met a bug: the program must not go on.
inline void rethrow(const std::exception_ptr& error) {
  if (error) std::rethrow_exception(error);
}

class Shutdown {
 public:
  // Catches signals from now on. `on_begin` is called once, to stop what runs.
  Shutdown(boost::asio::io_context& context, ops::ServiceManager& manager,
           std::chrono::seconds budget, std::function<void()> on_begin);

  // Waits for signals until finish(), or until the event loop is stopped.
  boost::asio::awaitable<void> run();

  // Everything that ran has ended: stop waiting.
  void finish();

  bool has_begun() const { return has_begun_; }

  // 0; 1 if the event loop was stopped at once.
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
