#pragma once

// HttpSession: one client's HTTP/1.1 connection: requests in, answers out, one after the other.
//
// Invariants:
//   1. Every wait has a deadline and every buffer a bound (HttpLimits).
//   2. What is wrong with a request is answered (400, 408, 413, 431, 505), and then the connection
//      is closed, since nobody knows where its next request would begin.
//
// Threads: one executor. The routes outlive the session.
// Errors:  a client that goes, or that is too slow to take its answer, ends the session; nobody
//          else notices.

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "ops/http.h"

namespace inventory::ops {

struct HttpLimits {
  std::size_t connections_max = 32;
  std::size_t header_bytes_max = 8'192;
  std::size_t body_bytes_max = 1'024;        // no route wants one
  std::chrono::milliseconds idle{60'000};    // without a request
  std::chrono::milliseconds request{5'000};  // from a request's first byte to its last
  std::chrono::milliseconds answer{900};     // of a handler
  std::chrono::milliseconds write{5'000};    // of an answer, until the system has taken it
};

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(boost::asio::ip::tcp::socket socket, const std::vector<HttpRoute>& routes,
              const HttpLimits& limits);

  Task<void> run();

  // Ends it after the answer that is under way, if one is, else at once.
  void finish();

  // Ends it at once.
  void close();

 private:
  // A request as it was read, or the answer to one that could not be.
  struct Read {
    std::expected<HttpRequest, HttpResponse> request;
    unsigned version = 11;  // 10 or 11, in HTTP/1's tenths
    bool keep_alive = false;
  };

  Task<bool> wait_for_request();
  Task<std::optional<Read>> read();
  Task<HttpResponse> answer(HttpRequest request);
  Task<bool> write(HttpResponse response, unsigned version, bool keep_alive, bool head);
  Task<void> say_goodbye();
  void set_deadline(std::chrono::milliseconds duration);

  boost::asio::ip::tcp::socket socket_;
  const std::vector<HttpRoute>& routes_;
  const HttpLimits& limits_;
  boost::asio::steady_timer deadline_;         // of a read or a write
  boost::asio::steady_timer answer_deadline_;  // of a handler
  boost::beast::flat_buffer buffer_;           // what was received and is not parsed yet
  bool timed_out_ = false;
  bool finishing_ = false;
  bool answering_ = false;
};

}  // namespace inventory::ops
