#include "ops/http_session.h"

#include <algorithm>
#include <array>
#include <exception>
#include <string_view>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <spdlog/spdlog.h>

namespace inventory::ops {
namespace {

namespace http = boost::beast::http;
using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using boost::system::error_code;
using namespace boost::asio::experimental::awaitable_operators;

// The wait after an answer to a request that was not read to its end: the client may still be
// sending, and would lose the answer if the connection were closed at once (RFC 9112, 9.6).
constexpr std::chrono::milliseconds kGoodbye{1'000};
constexpr std::size_t kGoodbyeBytesMax = 1 << 20;

// For browsers: a page may load only from here and have no inline scripts; it must not be framed,
// taken for another type, or read by other sites.
constexpr std::pair<std::string_view, std::string_view> kSecurityHeaders[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
};

// The answer to a request that the parser rejects; empty if the client has gone.
std::optional<HttpResponse> refusal(error_code error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return HttpResponse{.status = 431, .body = "the request's header is too large\n"};
  }
  if (error == http::error::body_limit) {
    return HttpResponse{.status = 413, .body = "the request's body is too large\n"};
  }
  if (error == http::error::bad_version) {
    return HttpResponse{.status = 505, .body = "only HTTP/1.0 and HTTP/1.1 work here\n"};
  }
  static const boost::system::error_category& parsing =
      make_error_code(http::error::bad_method).category();
  if (error.category() == parsing && error != http::error::end_of_stream &&
      error != http::error::partial_message) {
    return HttpResponse{.status = 400, .body = "this is no HTTP request\n"};
  }
  return std::nullopt;
}

// A handler that throws has met a bug; only its page fails, because orders matter more.
Task<HttpResponse> handle_or_fail(const std::vector<HttpRoute>& routes, HttpRequest request) {
  const std::string path = request.path;
  try {
    co_return co_await handle_request(routes, std::move(request));
  } catch (const std::exception& error) {
    spdlog::error("http: {} failed: {}", path, error.what());
  }
  co_return HttpResponse{.status = 500, .body = "failed; the service's log says why\n"};
}

}  // namespace

void HttpAnswers::begin(const std::shared_ptr<HttpSession>& session, std::size_t bytes) {
  while (!answers_.empty() && bytes_ + bytes > bytes_max_) {
    bytes_ -= answers_.front().bytes;
    answers_.front().session->close();
    answers_.pop_front();
  }
  answers_.push_back({session, bytes});
  bytes_ += bytes;
}

void HttpAnswers::end(const std::shared_ptr<HttpSession>& session) {
  std::erase_if(answers_, [&](const Answer& answer) {
    const bool is_its = answer.session == session;
    bytes_ -= is_its ? answer.bytes : 0;
    return is_its;
  });
}

HttpSession::HttpSession(boost::asio::ip::tcp::socket socket, HttpServer& server)
    : socket_(std::move(socket)),
      server_(server),
      limits_(server.limits),
      deadline_(socket_.get_executor()),
      answer_deadline_(socket_.get_executor()),
      buffer_(limits_.header_bytes_max + limits_.body_bytes_max) {
  error_code ignored;
  socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
}

Task<void> HttpSession::run() {
  const auto self = shared_from_this();
  bool understood = true;
  while (!finishing_) {
    if (!co_await wait_for_request()) {
      break;
    }
    auto asked = co_await read();
    if (!asked) {
      break;
    }
    answering_ = true;
    understood = asked->request || asked->keep_alive;
    HttpResponse response;
    if (asked->request) {
      response = co_await answer(*std::move(asked->request));
    } else {
      response = std::move(asked->request.error());
    }
    const bool keep_alive = asked->keep_alive && !finishing_;
    const bool written =
        co_await write(std::move(response), asked->version, keep_alive, asked->head);
    answering_ = false;
    if (!written || !keep_alive) {
      break;
    }
  }
  if (!understood) {
    co_await say_goodbye();
  }
  deadline_.cancel();
  close();
}

void HttpSession::finish() {
  finishing_ = true;
  if (!answering_) {
    close();
  }
}

void HttpSession::close() {
  error_code ignored;
  socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
  answer_deadline_.cancel();
}

// Waits for a request's first byte. Returns false if none came.
Task<bool> HttpSession::wait_for_request() {
  if (buffer_.size() > 0) {
    co_return true;  // pipelined: sent before the last one was answered
  }
  set_deadline(limits_.idle);
  error_code error;
  const auto space = buffer_.prepare(buffer_.max_size());
  const std::size_t size =
      co_await socket_.async_read_some(space, redirect_error(use_awaitable, error));
  buffer_.commit(size);
  co_return !error;
}

Task<std::optional<HttpSession::Read>> HttpSession::read() {
  http::request_parser<http::string_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(limits_.header_bytes_max));
  parser.body_limit(limits_.body_bytes_max);
  set_deadline(limits_.request);
  error_code error;
  co_await http::async_read(socket_, buffer_, parser, redirect_error(use_awaitable, error));
  if (timed_out_) {
    co_return Read{std::unexpected(
        HttpResponse{.status = 408, .body = "the request did not come to its end in time\n"})};
  }
  if (error) {
    auto answer = refusal(error);
    if (!answer) {
      co_return std::nullopt;
    }
    co_return Read{std::unexpected(*std::move(answer))};
  }
  const auto& request = parser.get();
  if (request.version() >= 11 && request.count(http::field::host) != 1) {
    co_return Read{std::unexpected(
        HttpResponse{.status = 400, .body = "a request names one host (RFC 9112, 3.2)\n"})};
  }
  HttpRequest asked = make_request(request.method_string(), request.target());
  const HttpRoute* route = find_route(server_.routes, asked.path);
  const bool is_public = route != nullptr && route->is_public;
  const auto host = host_of(request.target());
  if ((request.version() >= 11 || request.count(http::field::host) > 0) &&
      !server_.guard.admits_host(host ? *host : std::string(request[http::field::host]),
                                 is_public)) {
    co_return Read{std::unexpected(HttpResponse{
        .status = 421,
        .body = "this host is not the service's; ask for localhost, an address, or a name that "
                "--http-hosts gives\n"})};
  }
  std::vector<std::string_view> authorization;
  const auto [first, last] = request.equal_range(http::field::authorization);
  for (auto header = first; header != last; ++header) authorization.push_back(header->value());
  std::expected<HttpRequest, HttpResponse> admitted = std::move(asked);
  if (!server_.guard.admits_holder(authorization, is_public)) {
    admitted = std::unexpected(
        HttpResponse{.status = 401,
                     .body = "this page asks for the service's token, as a bearer token or as the "
                             "password of any user\n",
                     .authenticate = R"(Basic realm="inventory-service", charset="UTF-8")"});
  }
  co_return Read{std::move(admitted), request.version(), request.keep_alive(),
                 request.method() == http::verb::head};
}

Task<HttpResponse> HttpSession::answer(HttpRequest request) {
  const HttpRoute* route = find_route(server_.routes, request.path);
  answer_deadline_.expires_after(
      std::max(limits_.answer, route == nullptr ? limits_.answer : route->answer_within));
  error_code cancelled;
  auto first = co_await (handle_or_fail(server_.routes, std::move(request)) ||
                         answer_deadline_.async_wait(redirect_error(use_awaitable, cancelled)));
  if (auto* response = std::get_if<HttpResponse>(&first)) {
    co_return std::move(*response);
  }
  co_return HttpResponse{.status = 503, .body = "no answer in time\n"};
}

// Returns false if the client has gone, or does not take the answer.
Task<bool> HttpSession::write(HttpResponse response, unsigned version, bool keep_alive, bool head) {
  http::response<http::string_body> message(static_cast<http::status>(response.status), version);
  message.set(http::field::content_type, response.content_type);
  message.set(http::field::cache_control, "no-store");
  for (const auto& [name, value] : kSecurityHeaders) message.set(name, value);
  if (!response.allow.empty()) {
    message.set(http::field::allow, response.allow);
  }
  if (!response.retry_after.empty()) {
    message.set(http::field::retry_after, response.retry_after);
  }
  if (!response.authenticate.empty()) {
    message.set(http::field::www_authenticate, response.authenticate);
  }
  message.keep_alive(keep_alive);
  message.content_length(response.body.size());
  set_deadline(limits_.write);
  error_code error;
  if (head) {
    const http::response<http::empty_body> without_body(std::move(message.base()));
    co_await http::async_write(socket_, without_body, redirect_error(use_awaitable, error));
  } else {
    message.body() = std::move(response.body);
    server_.answers.begin(shared_from_this(), message.body().size());
    co_await http::async_write(socket_, message, redirect_error(use_awaitable, error));
    server_.answers.end(shared_from_this());
  }
  co_return !error;
}

// Reads and drops what the client still sends, for a while.
Task<void> HttpSession::say_goodbye() {
  error_code error;
  socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_send, error);
  set_deadline(kGoodbye);
  std::array<char, 4096> dropped{};
  for (std::size_t size = 0; !error && size < kGoodbyeBytesMax;) {
    size += co_await socket_.async_read_some(boost::asio::buffer(dropped),
                                             redirect_error(use_awaitable, error));
  }
}

void HttpSession::set_deadline(std::chrono::milliseconds duration) {
  timed_out_ = false;
  deadline_.expires_after(duration);
  deadline_.async_wait([self = weak_from_this()](error_code cancelled) {
    const auto session = self.lock();
    // The deadline may have been set again after this wait had ended and before this ran.
    if (cancelled || !session ||
        session->deadline_.expiry() > boost::asio::steady_timer::clock_type::now()) {
      return;
    }
    session->timed_out_ = true;
    error_code ignored;
    session->socket_.cancel(ignored);
  });
}

}  // namespace inventory::ops
