#include "ops/http_listener.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

namespace inventory::ops {
namespace {

using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using boost::asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr milliseconds kOpenFirst{1'000};
constexpr milliseconds kOpenLast{30'000};
constexpr milliseconds kAcceptPause{100};  // if there are no file descriptors left, for example
constexpr milliseconds kEnd{1'000};

}  // namespace

HttpListener::HttpListener(const boost::asio::any_io_executor& executor, HttpAddress address,
                           std::vector<HttpRoute> routes, const HttpAccess& access,
                           HttpLimits limits)
    : executor_(executor),
      address_(std::move(address)),
      server_{std::move(routes), limits, HttpGuard(address_, access),
              HttpAnswers(limits.answer_bytes_max)},
      acceptor_(executor),
      event_(executor, boost::asio::steady_timer::time_point::max()) {}

Task<void> HttpListener::run() {
  co_await open();
  while (!stopping_) {
    co_await accept();
  }
  co_await end_sessions();
}

void HttpListener::stop() {
  stopping_ = true;
  port_ = 0;
  error_code ignored;
  acceptor_.close(ignored);
  event_.cancel();
}

// Tries until it listens, or is stopped.
Task<void> HttpListener::open() {
  milliseconds backoff = kOpenFirst;
  while (!stopping_) {
    error_code error;
    tcp::resolver resolver(executor_);
    const auto found = co_await resolver.async_resolve(address_.host, std::to_string(address_.port),
                                                       tcp::resolver::passive,
                                                       redirect_error(use_awaitable, error));
    if (stopping_) {
      co_return;
    }
    if (!error) {
      const tcp::endpoint endpoint = *found.begin();
      acceptor_.open(endpoint.protocol(), error);
      if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
      if (!error) acceptor_.bind(endpoint, error);
      if (!error) acceptor_.listen(boost::asio::socket_base::max_listen_connections, error);
      if (!error) {
        port_ = acceptor_.local_endpoint().port();
        spdlog::info("http: listening on http://{}/", HttpAddress{address_.host, port_}.display());
        co_return;
      }
      error_code ignored;
      acceptor_.close(ignored);
    }
    spdlog::error(
        "http: cannot listen on {}: {}; choose another address with --http-listen, or end what "
        "uses this one; orders are served without health and metrics; trying again in {} ms",
        address_.display(), error.message(), backoff.count());
    co_await pause(backoff);
    backoff = std::min(backoff * 2, kOpenLast);
  }
}

Task<void> HttpListener::accept() {
  error_code error;
  tcp::socket socket = co_await acceptor_.async_accept(redirect_error(use_awaitable, error));
  if (stopping_) {
    co_return;
  }
  if (error) {
    spdlog::debug("http: a connection was not accepted: {}", error.message());
    co_await pause(kAcceptPause);
    co_return;
  }
  begin(std::move(socket));
}

void HttpListener::begin(tcp::socket socket) {
  if (sessions_.size() >= server_.limits.connections_max) {
    sessions_.front()->close();
    sessions_.pop_front();
  }
  const auto session = std::make_shared<HttpSession>(std::move(socket), server_);
  sessions_.push_back(session);
  ++running_;
  boost::asio::co_spawn(executor_, session->run(),
                        [this, session](const std::exception_ptr& error) {
                          std::erase(sessions_, session);
                          --running_;
                          event_.cancel();
                          if (error) std::rethrow_exception(error);
                        });
}

Task<void> HttpListener::end_sessions() {
  for (const auto& session : sessions_) {
    session->finish();
  }
  const auto deadline = boost::asio::steady_timer::clock_type::now() + kEnd;
  while (running_ > 0) {
    const auto left = deadline - boost::asio::steady_timer::clock_type::now();
    if (left <= left.zero()) {
      break;
    }
    co_await pause(std::chrono::ceil<milliseconds>(left));
  }
  for (const auto& session : sessions_) {
    session->close();
  }
  while (running_ > 0) {
    co_await pause(kEnd);
  }
}

Task<void> HttpListener::pause(milliseconds duration) {
  event_.expires_after(duration);
  error_code cancelled;
  co_await event_.async_wait(redirect_error(use_awaitable, cancelled));
}

}  // namespace inventory::ops
