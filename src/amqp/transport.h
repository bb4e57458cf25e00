#pragma once

// Transport: the bytes of one connection, over TCP or TLS.
//
// TLS: 1.2 or later; the peer's certificate and host name are verified.
// Threads:  one object on one executor; one read and one write at a time.
// Suspends: connect(), read_some(), write(). close() ends all three with an error.
// Errors:   texts that name the host, or the file that could not be read.

#include <chrono>
#include <cstddef>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include "amqp/connection.h"

namespace amqp {

class Transport {
 public:
  explicit Transport(const boost::asio::any_io_executor& executor) : socket_(executor) {}

  // Looks up the host and connects to the first address that answers. tls: empty for plain TCP.
  Task<std::expected<void, std::string>> connect(Host host, std::optional<TlsOptions> tls,
                                                 std::chrono::milliseconds timeout);

  Task<std::expected<std::size_t, std::string>> read_some(std::span<char> buffer);

  // Writes all of it. The bytes must stay valid until then.
  Task<std::expected<void, std::string>> write(std::string_view bytes);

  void close();

 private:
  using Tcp = boost::asio::ip::tcp;

  Task<std::expected<void, std::string>> connect_tcp(Host host, std::optional<TlsOptions> tls);
  Task<std::expected<void, std::string>> start_tls(std::string host_name, TlsOptions options);

  std::optional<boost::asio::ssl::context> tls_context_;
  Tcp::socket socket_;
  std::optional<boost::asio::ssl::stream<Tcp::socket&>> tls_;
};

}  // namespace amqp
