#pragma once

// HttpListener: accepts HTTP connections on one address and lets an HttpSession answer each.
//
// Invariants:
//   1. Its failures affect nothing else: if the address cannot be bound, that is logged and tried
//      again, at most 30 s later.
//   2. There are at most HttpLimits::connections_max sessions. A new connection then replaces the
//      oldest one, so that many slow clients cannot lock out a health check.
//
// Threads: one executor; the listener must outlive run().

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "ops/http.h"
#include "ops/http_address.h"
#include "ops/http_session.h"

namespace inventory::ops {

class HttpListener {
 public:
  HttpListener(const boost::asio::any_io_executor& executor, HttpAddress address,
               std::vector<HttpRoute> routes, const HttpAccess& access = {},
               HttpLimits limits = {});

  // Listens until stop(), then ends the sessions within a second.
  Task<void> run();

  // Idempotent.
  void stop();

  // The port on which it listens; 0 while it does not.
  std::uint16_t port() const { return port_; }

 private:
  Task<void> open();
  Task<void> accept();
  void begin(boost::asio::ip::tcp::socket socket);
  Task<void> end_sessions();
  Task<void> pause(std::chrono::milliseconds duration);

  boost::asio::any_io_executor executor_;
  HttpAddress address_;
  HttpServer server_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer event_;                   // a pause; ended by stop() and by sessions
  std::list<std::shared_ptr<HttpSession>> sessions_;  // the oldest first
  std::size_t running_ = 0;  // sessions_, and those that were replaced and are ending
  std::uint16_t port_ = 0;
  bool stopping_ = false;
};

}  // namespace inventory::ops
