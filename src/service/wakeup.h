#pragma once

// Wakeup: one coroutine waits until it is woken, or until a time has passed. Like amqp::Signal,
// with the flow's clock.
//
// Threads: one executor. The clock outlives it.
// Not:     for two waiters at a time.

#include <chrono>
#include <optional>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "service/clock.h"

namespace inventory::service {

class Wakeup {
 public:
  Wakeup(const boost::asio::any_io_executor& executor, Clock& clock)
      : clock_(clock), event_(executor, boost::asio::steady_timer::time_point::max()) {}

  // Without `at_most`, waits until notify(). May also wake without a reason.
  boost::asio::awaitable<void> wait(std::optional<std::chrono::milliseconds> at_most) {
    using namespace boost::asio::experimental::awaitable_operators;
    if (at_most) {
      co_await (clock_.sleep(*at_most) || wait_for_event());
    } else {
      co_await wait_for_event();
    }
  }

  void notify() { event_.cancel(); }

 private:
  boost::asio::awaitable<void> wait_for_event() {
    boost::system::error_code cancelled;
    co_await event_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, cancelled));
  }

  Clock& clock_;
  boost::asio::steady_timer event_;  // never expires
};

}  // namespace inventory::service
