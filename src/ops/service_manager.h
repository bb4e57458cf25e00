#pragma once

// Service manager: tells systemd how the service is, as sd_notify(3) has it.
//
// The unit is Type=notify with WatchdogSec=. "Ready" means that the event loop runs; what the
// service waits for is its status, since a broker that is away is no reason to stop the service.
// The watchdog is fed from the event loop: a loop that hangs is restarted.
//
// Without NOTIFY_SOCKET (any other way to be started) nothing is sent.
// Threads: one executor, which it keeps busy until stop().

#include <chrono>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace inventory::ops {

class ServiceManager {
 public:
  explicit ServiceManager(const boost::asio::any_io_executor& executor);

  // The event loop runs. Begins to feed the watchdog, twice in WATCHDOG_USEC, if there is one.
  void ready();

  // What `systemctl status` shows, in one line. Sent only if it has changed.
  void status(const std::string& text);

  // Has begun to stop, which takes at most this long.
  void stopping(std::chrono::seconds budget);

  // Feeds the watchdog no more.
  void stop();

 private:
  void feed_watchdog();

  boost::asio::steady_timer watchdog_;
  std::chrono::microseconds watchdog_interval_{0};  // 0: nobody watches
  std::string status_;
};

}  // namespace inventory::ops
