#include "store/postgres/socket_wait.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace inventory::store::postgres {
namespace {

using namespace boost::asio::experimental::awaitable_operators;

// An error of the wait itself is ignored: libpq's next call on the socket meets it too.
constexpr auto kResult = boost::asio::as_tuple(boost::asio::use_awaitable);

}  // namespace

SocketWait::SocketWait(const boost::asio::any_io_executor& executor, int socket)
    : socket_(executor, socket), timer_(executor) {}

SocketWait::~SocketWait() { socket_.release(); }

boost::asio::awaitable<bool> SocketWait::readable(Deadline deadline) {
  timer_.expires_at(deadline);
  const auto first =
      co_await (socket_.async_wait(socket_.wait_read, kResult) || timer_.async_wait(kResult));
  co_return first.index() == 0;
}

boost::asio::awaitable<bool> SocketWait::writable(Deadline deadline) {
  timer_.expires_at(deadline);
  const auto first =
      co_await (socket_.async_wait(socket_.wait_write, kResult) || timer_.async_wait(kResult));
  co_return first.index() == 0;
}

boost::asio::awaitable<bool> SocketWait::readable_or_writable(Deadline deadline) {
  timer_.expires_at(deadline);
  const auto first =
      co_await (socket_.async_wait(socket_.wait_read, kResult) ||
                socket_.async_wait(socket_.wait_write, kResult) || timer_.async_wait(kResult));
  co_return first.index() != 2;
}

}  // namespace inventory::store::postgres
