#pragma once

// Scheduler: virtual time. Nothing really waits: when all coroutines are suspended, time jumps to
// the next event. Events at the same time run in the order in which they were planned.
//
// The coroutines of a process wait only through Signal, which does not wake those of a killed
// process: they stay suspended until the world ends.

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

using Time = std::chrono::microseconds;  // since the world began, or a duration
using std::chrono::milliseconds;
using std::chrono::seconds;

// Life: the life of one process, from its start until it is killed or has ended.
struct Life {
  bool is_alive = true;
  bool is_stopping = false;
};
using LifePointer = std::shared_ptr<const Life>;

// Signal: lets coroutines of one process wait for a change. A coroutine that wakes must check its
// condition again.
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

  // The same by an accurate wall clock, such as the database's.
  std::chrono::sys_time<Time> wall_now() const {
    constexpr std::chrono::sys_days kBegin{std::chrono::year{2026} / 1 / 1};
    return kBegin + now_;
  }

  void after(Time delay, std::function<void()> action);
  void at(Time time, std::function<void()> action);

  // Cancellable like Asio's asynchronous operations.
  Task<void> sleep(LifePointer life, Time delay);

  // Runs the coroutines until all are suspended, then the next event. Returns false if there is
  // none.
  bool step();

  std::uint64_t steps() const { return steps_; }

  // Drops all events, which may own signals, before the io_context is destroyed.
  void clear() { events_.clear(); }

 private:
  boost::asio::io_context context_{1};
  Time now_{0};
  std::uint64_t last_number_ = 0;
  std::uint64_t steps_ = 0;
  std::map<std::pair<Time, std::uint64_t>, std::function<void()>> events_;
};

}  // namespace inventory::simulation
