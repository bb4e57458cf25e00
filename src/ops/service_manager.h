#pragma once

// ServiceManager: tells systemd the state of the service, by sd_notify(3).
//
// The unit is Type=notify with WatchdogSec=. "Ready" means that the event loop runs. What the
// service waits for is shown as its status, because a missing broker is no reason to restart it.
// The event loop feeds the watchdog, so systemd restarts a service whose loop hangs.
//
// Without NOTIFY_SOCKET (not started by systemd) nothing is sent.
// Threads: one executor, whose run() does not return before stop().

#include <chrono>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace inventory::ops {

class ServiceManager {
 public:
  explicit ServiceManager(const boost::asio::any_io_executor& executor);

  // The event loop runs. Begins to feed the watchdog, if there is one, twice in WATCHDOG_USEC.
  void ready();

  // Sets the line that `systemctl status` shows. Sent only if it has changed.
  void status(const std::string& text);

  // The service has begun to stop, which takes at most this long.
  void stopping(std::chrono::seconds budget);

  // Stops feeding the watchdog.
  void stop();

 private:
  void feed_watchdog();

  boost::asio::steady_timer watchdog_;
  std::chrono::microseconds watchdog_interval_{0};  // 0: no watchdog
  std::string status_;
};

}  // namespace inventory::ops
