#pragma once

// Scheduler: virtual time. Nothing waits for real: when all coroutines are suspended, time jumps to
// the next event. Events at the same time run in the order in which they were planned.
//
// Everything that a coroutine of a process waits for goes through Signal, which wakes nobody in a
// process that was killed: its coroutines stay where they were until the world ends.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace inventory::simulation {

template <class T>
using Task = boost::asio::awaitable<T>;

using Time = std::chrono::microseconds;  // since the world began, or how long
using std::chrono::milliseconds;
using std::chrono::seconds;

// Life: of one process, from its start until it is killed or has ended.
struct Life {
  bool is_alive = true;
  bool is_stopping = false;
};
using LifePointer = std::shared_ptr<const Life>;

// Signal: lets coroutines of one process wait for a change. They look again when they wake.
class Signal {
 public:
  Signal(boost::asio::io_context& context, LifePointer life);

  Task<void> wait();
  void notify();

 private:
  boost::asio::steady_timer timer_;
  LifePointer life_;
};

class Scheduler {
 public:
  boost::asio::io_context& context() { return context_; }
  Time now() const { return now_; }

  // The same by a clock on the wall that is right, as the database's is.
  std::chrono::sys_time<Time> wall_now() const {
    constexpr std::chrono::sys_days kBegin{std::chrono::year{2026} / 1 / 1};
    return kBegin + now_;
  }

  void after(Time delay, std::function<void()> action);
  void at(Time time, std::function<void()> action);

  // Cancellable, as asynchronous operations of Asio are.
  Task<void> sleep(LifePointer life, Time delay);

  // Runs the coroutines until all are suspended, then the next event. False: there is none.
  bool step();

  std::uint64_t steps() const { return steps_; }

  // Forgets all events, which may hold signals: before the io_context goes.
  void clear() { events_.clear(); }

 private:
  boost::asio::io_context context_{1};
  Time now_{0};
  std::uint64_t last_number_ = 0;
  std::uint64_t steps_ = 0;
  std::map<std::pair<Time, std::uint64_t>, std::function<void()>> events_;
};

}  // namespace inventory::simulation
