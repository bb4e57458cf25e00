#pragma once

// Pause: waits that end early when the flow, or a task beside it, is told to stop.
//
// Threads: one executor. The clock outlives it.

#include <chrono>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "service/clock.h"

namespace inventory::service {

class Pause {
 public:
  Pause(const boost::asio::any_io_executor& executor, Clock& clock)
      : clock_(clock), stop_event_(executor, boost::asio::steady_timer::time_point::max()) {}

  // Ends all waits, current and future. Idempotent.
  void stop() {
    is_stopping_ = true;
    stop_event_.expires_at(boost::asio::steady_timer::time_point::min());
  }
  bool is_stopping() const { return is_stopping_; }

  // Waits, at most until stop().
  boost::asio::awaitable<void> wait(std::chrono::milliseconds duration) {
    using namespace boost::asio::experimental::awaitable_operators;
    if (is_stopping_) {
      co_return;
    }
    boost::system::error_code cancelled;
    co_await (clock_.sleep(duration) || stop_event_.async_wait(boost::asio::redirect_error(
                                            boost::asio::use_awaitable, cancelled)));
  }

  // Waits until stop().
  boost::asio::awaitable<void> stopped() {
    boost::system::error_code cancelled;
    co_await stop_event_.async_wait(
        boost::asio::redirect_error(boost::asio::use_awaitable, cancelled));
  }

 private:
  Clock& clock_;
  boost::asio::steady_timer stop_event_;  // expires when stop() is called
  bool is_stopping_ = false;
};

}  // namespace inventory::service
