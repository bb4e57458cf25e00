#pragma once

// HTTP requests, responses and routes. No I/O: http_session.h reads and writes the bytes.
//
// A route answers GET and HEAD for one path, or, if its path ends in "/" ("/items/"), for all paths
// below it. Its handler runs on the event loop and must not block. A handler that is suspended when
// its time is up is cancelled (Asio's terminal cancellation), and the client gets a 503.

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace inventory::ops {

template <class T>
using Task = boost::asio::awaitable<T>;

struct HttpRequest {
  std::string method;  // GET, HEAD, ...
  std::string path;    // "/items/7"; still percent-encoded
  std::string query;   // "after=3&limit=5", without the question mark; still percent-encoded
};

struct HttpResponse {
  unsigned status = 200;
  std::string body = {};
  std::string content_type = "text/plain; charset=utf-8";
  std::string allow = {};         // the header Allow, with 405
  std::string retry_after = {};   // in seconds, with 503
  std::string authenticate = {};  // the header WWW-Authenticate, with 401
};

using HttpHandler = std::function<Task<HttpResponse>(HttpRequest)>;

struct HttpRoute {
  std::string path;
  HttpHandler handle;
  bool is_public = false;                      // see HttpGuard
  std::chrono::milliseconds answer_within{0};  // used if it is more than HttpLimits::answer
};

// Makes a handler of a function that does not suspend.
HttpHandler immediately(std::function<HttpResponse(const HttpRequest&)> answer);

// The value of a query's first parameter of that name, "" if it has none ("?verbose"); nullopt if
// there is no such parameter.
std::optional<std::string_view> query_parameter(std::string_view query, std::string_view name);

// Decodes a part of a path, or with `is_form` a value of a query, in which browsers write a space
// as a plus. Empty if a percent sign is not followed by two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text, bool is_form = false);

// Splits a request's target at its question mark. Drops the host if the target has one, as clients
// of proxies send it (RFC 9112, 3.2.2).
HttpRequest make_request(std::string_view method, std::string_view target);

// The host that a target names, perhaps with a port; empty if the target is only a path.
std::optional<std::string> host_of(std::string_view target);

// The first route that matches; null if none does.
const HttpRoute* find_route(const std::vector<HttpRoute>& routes, std::string_view path);

// The answer of the first route that matches; 404 if none does, 405 for methods other than GET and
// HEAD.
Task<HttpResponse> handle_request(const std::vector<HttpRoute>& routes, HttpRequest request);

}  // namespace inventory::ops
