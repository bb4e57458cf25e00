#include "ops/service_manager.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <systemd/sd-daemon.h>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace inventory::ops {
namespace {

// Added to the budget, so that the service ends by its own budget, with a line in the log, before
// systemd kills it.
constexpr std::chrono::seconds kStopMargin{10};

void notify(const std::string& state) {
  if (const int result = sd_notify(0, state.c_str()); result < 0) {
    spdlog::warn("systemd cannot be told {:?}: {}", state, strerror(-result));
  }
}

std::chrono::microseconds watchdog_interval() {
  std::uint64_t timeout_us = 0;
  if (sd_watchdog_enabled(0, &timeout_us) <= 0) return std::chrono::microseconds(0);
  return std::chrono::microseconds(timeout_us / 2);
}

}  // namespace

ServiceManager::ServiceManager(const boost::asio::any_io_executor& executor)
    : watchdog_(executor), watchdog_interval_(watchdog_interval()) {}

void ServiceManager::ready() {
  notify("READY=1");
  if (watchdog_interval_.count() > 0) feed_watchdog();
}

void ServiceManager::status(const std::string& text) {
  if (text == status_) return;
  status_ = text;
  // A newline would begin another assignment.
  std::string line = text;
  std::ranges::replace_if(line, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  notify("STATUS=" + line);
}

void ServiceManager::stopping(std::chrono::seconds budget) {
  const std::chrono::microseconds limit = budget + kStopMargin;
  notify(fmt::format("STOPPING=1\nEXTEND_TIMEOUT_USEC={}", limit.count()));
}

void ServiceManager::stop() {
  watchdog_interval_ = std::chrono::microseconds(0);
  watchdog_.cancel();
}

void ServiceManager::feed_watchdog() {
  notify("WATCHDOG=1");
  watchdog_.expires_after(watchdog_interval_);
  watchdog_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled && watchdog_interval_.count() > 0) feed_watchdog();
  });
}

}  // namespace inventory::ops
