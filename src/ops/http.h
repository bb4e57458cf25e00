#pragma once

// HTTP, seen from inside: what is asked, what is answered, and by whom. Pure: the bytes are
// http_session.h's.
//
// A route answers GET and HEAD for one path, or, where its path ends in "/" ("/items/"), for all
// below it.
// Its handler runs on the event loop and must not block. Where it suspends, it is cancelled
// (Asio's terminal cancellation) when its time is up, and the client gets a 503.

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
  std::string path;    // "/items/7"; percent-encoded as it came
  std::string query;   // "after=3&limit=5", without its question mark; as it came
};

struct HttpResponse {
  unsigned status = 200;
  std::string body = {};
  std::string content_type = "text/plain; charset=utf-8";
  std::string allow = {};         // the methods that would do, with 405
  std::string retry_after = {};   // in seconds, with 503
  std::string authenticate = {};  // how, with 401
};

using HttpHandler = std::function<Task<HttpResponse>(HttpRequest)>;

struct HttpRoute {
  std::string path;
  HttpHandler handle;
  bool is_public = false;                      // see HttpGuard
  std::chrono::milliseconds answer_within{0};  // if that is more than HttpLimits::answer
};

// A handler that has its answer at once.
HttpHandler immediately(std::function<HttpResponse(const HttpRequest&)> answer);

// The value of a query's first parameter of that name, empty where it has none ("?verbose");
// nothing if there is no such parameter.
std::optional<std::string_view> query_parameter(std::string_view query, std::string_view name);

// The text that a part of a path stands for, or with `is_form` a value of a query, in which
// browsers write a space as a plus. Nothing if a percent sign is not followed by two hexadecimal
// digits.
std::optional<std::string> percent_decoded(std::string_view text, bool is_form = false);

// Splits a request's target at its question mark. Of one that names a host as well, as clients of
// proxies send it (RFC 9112, 3.2.2), path and query count.
HttpRequest make_request(std::string_view method, std::string_view target);

// The host, perhaps with a port, that a target names; nothing where it is only a path.
std::optional<std::string> host_of(std::string_view target);

// The first route that fits; null if none does.
const HttpRoute* find_route(const std::vector<HttpRoute>& routes, std::string_view path);

// The answer of the first route that fits; 404 where none does, 405 for other methods.
Task<HttpResponse> handle_request(const std::vector<HttpRoute>& routes, HttpRequest request);

}  // namespace inventory::ops
