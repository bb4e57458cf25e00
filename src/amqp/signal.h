#pragma once

// Signal: one coroutine waits for a condition, with a deadline; who changes it calls notify().
//
//   while (!condition() && Clock::now() < deadline) co_await signal.wait_until(deadline);
//
// Threads:  one object on one executor: nothing runs between the check and the wait.
// Suspends: wait_until(). Spurious wake-ups are possible.
// Not:      for two waiters at a time; they would wake each other endlessly.

#include <chrono>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace amqp {

using Clock = std::chrono::steady_clock;

class Signal {
 public:
  explicit Signal(const boost::asio::any_io_executor& executor) : timer_(executor) {}

  boost::asio::awaitable<void> wait_until(Clock::time_point deadline) {
    timer_.expires_at(deadline);
    co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  }

  // Without a deadline: only for waits that the connection's failure ends.
  boost::asio::awaitable<void> wait() { return wait_until(Clock::time_point::max()); }

  // Wakes the waiter after this turn of the event loop, so that it sees all that this turn does.
  void notify() { timer_.cancel(); }

 private:
  boost::asio::steady_timer timer_;
};

}  // namespace amqp
