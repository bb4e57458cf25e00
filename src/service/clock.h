#pragma once

// Clock: time as the flow sees it, so that tests can control it.

#include <chrono>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace inventory::service {

class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  // Wall time, UTC.
  virtual std::chrono::sys_time<std::chrono::microseconds> now() const = 0;

  // Time that only moves forward, for measuring how long something lasts.
  virtual std::chrono::steady_clock::time_point steady_now() const = 0;

  // Cancellable, like Asio's asynchronous operations.
  virtual boost::asio::awaitable<void> sleep(std::chrono::milliseconds duration) = 0;
};

class SystemClock : public Clock {
 public:
  std::chrono::sys_time<std::chrono::microseconds> now() const override {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  }
  std::chrono::steady_clock::time_point steady_now() const override {
    return std::chrono::steady_clock::now();
  }
  boost::asio::awaitable<void> sleep(std::chrono::milliseconds duration) override {
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, duration);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
};

}  // namespace inventory::service
