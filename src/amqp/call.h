#pragma once

// Call: a synchronous AMQP method waiting for its answer. One at a time.

#include <optional>
#include <utility>
#include <variant>

#include "amqp/method.h"
#include "amqp/signal.h"

namespace amqp {

class Call {
 public:
  explicit Call(const boost::asio::any_io_executor& executor) : answered_(executor) {}

  // Call before the request is written.
  template <class Answer>
  void expect() {
    is_expected_ = [](const method::Incoming& method) {
      return std::holds_alternative<Answer>(method);
    };
    answer_.reset();
  }

  // Whether this method is the expected answer; if so, it is moved from.
  bool offer(method::Incoming& method) {
    if (is_expected_ == nullptr || !is_expected_(method)) return false;
    is_expected_ = nullptr;
    answer_ = std::move(method);
    answered_.notify();
    return true;
  }

  // Wakes the waiter without an answer.
  void give_up() {
    is_expected_ = nullptr;
    answered_.notify();
  }

  // The answer; empty at the deadline or after give_up().
  boost::asio::awaitable<std::optional<method::Incoming>> wait_until(Clock::time_point deadline) {
    while (!answer_ && is_expected_ != nullptr && Clock::now() < deadline) {
      co_await answered_.wait_until(deadline);
    }
    is_expected_ = nullptr;
    co_return std::exchange(answer_, std::nullopt);
  }

 private:
  using Predicate = bool (*)(const method::Incoming&);

  Signal answered_;
  Predicate is_expected_ = nullptr;
  std::optional<method::Incoming> answer_;
};

}  // namespace amqp
