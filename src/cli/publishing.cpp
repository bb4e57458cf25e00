#include "cli/publishing.h"

#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "terminal/printable.h"

namespace inventory::cli {

amqp::Task<amqp::Result<std::vector<amqp::Settlement>>> publish_within(
    amqp::Publisher& publisher, std::span<const amqp::Message> messages,
    std::chrono::seconds timeout) {
  using namespace boost::asio::experimental::awaitable_operators;
  boost::asio::steady_timer deadline(co_await boost::asio::this_coro::executor, timeout);
  auto published =
      co_await (publisher.publish(messages) || deadline.async_wait(boost::asio::use_awaitable));
  if (published.index() == 0) co_return std::get<0>(std::move(published));
  co_return std::unexpected(amqp::Error{
      .fault = amqp::Fault::refused,
      .what =
          fmt::format("the broker has confirmed nothing of what was sent within {} s; is it low "
                      "on memory or disk?",
                      timeout.count())});
}

std::string why_not_taken(amqp::Settlement settlement, std::string_view queue) {
  using enum amqp::Settlement;
  switch (settlement) {
    case confirmed:
      return "";
    case rejected:
      break;
    case returned:
      return fmt::format("there is no queue {}", terminal::printable(queue));
    case too_large:
      return "its properties do not fit in a frame";
  }
  return fmt::format("queue {} rejects messages", terminal::printable(queue));
}

}  // namespace inventory::cli
