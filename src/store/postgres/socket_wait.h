#pragma once

// Waiting for libpq's socket on the event loop.

#include <chrono>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace inventory::store::postgres {

using Deadline = std::chrono::steady_clock::time_point;

// SocketWait: watches a socket that libpq owns and closes.
// Invariant: it is destroyed before the PGconn; it takes the socket off the event loop and leaves
//            it open.
// Returns:   false if the deadline passed first.
class SocketWait {
 public:
  SocketWait(const boost::asio::any_io_executor& executor, int socket);
  SocketWait(const SocketWait&) = delete;
  SocketWait& operator=(const SocketWait&) = delete;
  ~SocketWait();

  boost::asio::awaitable<bool> readable(Deadline deadline);
  boost::asio::awaitable<bool> writable(Deadline deadline);
  boost::asio::awaitable<bool> readable_or_writable(Deadline deadline);

 private:
  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer timer_;
};

}  // namespace inventory::store::postgres
