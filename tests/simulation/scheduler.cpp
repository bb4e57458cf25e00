#include "scheduler.h"

#include <algorithm>
#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace inventory::simulation {

using boost::asio::steady_timer;

Signal::Signal(boost::asio::io_context& context, LifePointer life)
    : timer_(context, steady_timer::time_point::max()), life_(std::move(life)) {}

Task<void> Signal::wait() {
  boost::system::error_code woken;
  co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, woken));
}

void Signal::notify() {
  if (life_->is_alive) {
    timer_.cancel();
  }
}

void Scheduler::after(Time delay, std::function<void()> action) {
  at(now_ + delay, std::move(action));
}

void Scheduler::at(Time time, std::function<void()> action) {
  events_.emplace(std::pair(std::max(time, now_), ++last_number_), std::move(action));
}

Task<void> Scheduler::sleep(LifePointer life, Time delay) {
  const auto signal = std::make_shared<Signal>(context_, std::move(life));
  after(delay, [signal] { signal->notify(); });
  co_await signal->wait();
}

bool Scheduler::step() {
  context_.restart();
  context_.poll();
  if (events_.empty()) {
    return false;
  }
  const auto next = events_.extract(events_.begin());
  now_ = next.key().first;
  ++steps_;
  next.mapped()();
  return true;
}

}  // namespace inventory::simulation
