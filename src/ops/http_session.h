#pragma once

// HttpSession: one client's HTTP/1.1 connection: reads a request, writes the answer, then reads the
// next.
//
// Invariants:
//   1. Every wait has a deadline and every buffer a bound (HttpLimits).
//   2. A bad request is answered (400, 408, 413, 421, 431, 505), and then the connection is closed,
//      because it is not known where the next request would begin.
//   3. What all sessions are writing is bounded; a client that takes its answer too slowly is
//      disconnected.
//
// Threads: one executor.
// Errors:  a client that disconnects, or takes its answer too slowly, ends its session; nothing
//          else is affected.

#include <chrono>
#include <cstddef>
#include <expected>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "ops/http.h"
#include "ops/http_guard.h"

namespace inventory::ops {

struct HttpLimits {
  std::size_t connections_max = 32;
  std::size_t header_bytes_max = 8'192;
  std::size_t body_bytes_max = 1'024;        // no route uses a body
  std::chrono::milliseconds idle{60'000};    // without a request
  std::chrono::milliseconds request{5'000};  // from a request's first byte to its last
  std::chrono::milliseconds answer{900};     // of a handler; some routes have more
  std::chrono::milliseconds write{5'000};    // of an answer, until the kernel has taken it
  std::size_t answer_bytes_max = 3 << 20;    // of all answers that are being written
};

class HttpSession;

// HttpAnswers: the answers that all sessions of a listener are writing. When they exceed the bound,
// the session that has been writing longest is closed.
class HttpAnswers {
 public:
  explicit HttpAnswers(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  void begin(const std::shared_ptr<HttpSession>& session, std::size_t bytes);
  void end(const std::shared_ptr<HttpSession>& session);

 private:
  struct Answer {
    std::shared_ptr<HttpSession> session;
    std::size_t bytes;
  };

  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::list<Answer> answers_;  // the oldest first
};

// What all sessions of a listener share; must outlive them.
struct HttpServer {
  std::vector<HttpRoute> routes;
  HttpLimits limits;
  HttpGuard guard;
  HttpAnswers answers;
};

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(boost::asio::ip::tcp::socket socket, HttpServer& server);

  Task<void> run();

  // Ends the session after the answer under way, or at once if there is none.
  void finish();

  // Ends the session at once.
  void close();

 private:
  // A request, or the answer to one that could not be read.
  struct Read {
    std::expected<HttpRequest, HttpResponse> request;
    unsigned version = 11;  // 10 for HTTP/1.0, 11 for HTTP/1.1
    bool keep_alive = false;
    bool head = false;
  };

  Task<bool> wait_for_request();
  Task<std::optional<Read>> read();
  Task<HttpResponse> answer(HttpRequest request);
  Task<bool> write(HttpResponse response, unsigned version, bool keep_alive, bool head);
  Task<void> say_goodbye();
  void set_deadline(std::chrono::milliseconds duration);

  boost::asio::ip::tcp::socket socket_;
  HttpServer& server_;
  const HttpLimits& limits_;                   // of the server
  boost::asio::steady_timer deadline_;         // of a read or a write
  boost::asio::steady_timer answer_deadline_;  // of a handler; some routes have more
  boost::beast::flat_buffer buffer_;           // received, not parsed yet
  bool timed_out_ = false;
  bool finishing_ = false;
  bool answering_ = false;
};

}  // namespace inventory::ops
