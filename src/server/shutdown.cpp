#include "server/shutdown.h"

#include <csignal>
#include <string>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace inventory::server {

using boost::asio::redirect_error;
using boost::asio::use_awaitable;

Shutdown::Shutdown(boost::asio::io_context& context, ops::ServiceManager& manager,
                   std::chrono::seconds budget, std::function<void()> on_begin)
    : context_(context),
      manager_(manager),
      budget_(budget),
      on_begin_(std::move(on_begin)),
      signals_(context, SIGTERM, SIGINT),
      end_(context) {}

boost::asio::awaitable<void> Shutdown::run() {
  boost::system::error_code cancelled;
  const int signal = co_await signals_.async_wait(redirect_error(use_awaitable, cancelled));
  if (cancelled) co_return;
  spdlog::info("{}: {}, at most {} s", signal == SIGTERM ? "SIGTERM" : "SIGINT", kFinishing,
               budget_.count());
  has_begun_ = true;
  manager_.stopping(budget_);
  manager_.status(std::string(kFinishing));
  on_begin_();
  boost::asio::co_spawn(context_, keep_to_budget(), rethrow);
  co_await signals_.async_wait(redirect_error(use_awaitable, cancelled));
  if (!cancelled) stop_at_once("a second signal: stopping at once");
}

boost::asio::awaitable<void> Shutdown::keep_to_budget() {
  end_.expires_after(budget_);
  boost::system::error_code cancelled;
  co_await end_.async_wait(redirect_error(use_awaitable, cancelled));
  if (!cancelled) stop_at_once(fmt::format("not finished within {} s", budget_.count()));
}

void Shutdown::stop_at_once(std::string_view why) {
  spdlog::warn("{}; the broker delivers again what was in flight", why);
  exit_status_ = 1;
  context_.stop();
}

void Shutdown::finish() {
  spdlog::info("stopped");
  manager_.stop();
  signals_.cancel();
  end_.cancel();
}

}  // namespace inventory::server
