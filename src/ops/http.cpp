#include "ops/http.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <boost/url/parse.hpp>

namespace inventory::ops {
namespace {

Task<HttpResponse> answer_now(std::function<HttpResponse(const HttpRequest&)> answer,
                              HttpRequest request) {
  co_return answer(request);
}

bool fits(const HttpRoute& route, std::string_view path) {
  const bool is_folder = route.path.size() > 1 && route.path.ends_with('/');
  return route.path == path || (is_folder && path.starts_with(route.path));
}

}  // namespace

HttpHandler immediately(std::function<HttpResponse(const HttpRequest&)> answer) {
  return [answer = std::move(answer)](HttpRequest request) {
    return answer_now(answer, std::move(request));
  };
}

std::optional<std::string_view> query_parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(parameter.size() + 1, query.size()));
    const auto equals = parameter.find('=');
    if (parameter.substr(0, equals) == name) {
      return equals == std::string_view::npos ? "" : parameter.substr(equals + 1);
    }
  }
  return std::nullopt;
}

std::optional<std::string> percent_decoded(std::string_view text, bool is_form) {
  std::string decoded;
  decoded.reserve(text.size());
  while (!text.empty()) {
    std::size_t taken = 1;
    if (text.front() == '%') {
      unsigned char byte = 0;
      const std::string_view digits = text.substr(1, 2);
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
      if (error != std::errc() || end != digits.data() + 2) return std::nullopt;
      decoded += static_cast<char>(byte);
      taken = 3;
    } else {
      decoded += is_form && text.front() == '+' ? ' ' : text.front();
    }
    text.remove_prefix(taken);
  }
  return decoded;
}

HttpRequest make_request(std::string_view method, std::string_view target) {
  if (const auto url = boost::urls::parse_absolute_uri(target)) {
    const std::string_view path = url->encoded_path();
    return {std::string(method), std::string(path.empty() ? "/" : path),
            std::string(url->encoded_query())};
  }
  const auto question = target.find('?');
  const bool has_query = question != std::string_view::npos;
  return {std::string(method), std::string(target.substr(0, question)),
          std::string(has_query ? target.substr(question + 1) : "")};
}

std::optional<std::string> host_of(std::string_view target) {
  const auto url = boost::urls::parse_absolute_uri(target);
  if (!url || !url->has_authority()) return std::nullopt;
  return std::string(url->encoded_host_and_port());
}

const HttpRoute* find_route(const std::vector<HttpRoute>& routes, std::string_view path) {
  const auto route = std::ranges::find_if(
      routes, [&](const HttpRoute& candidate) { return fits(candidate, path); });
  return route == routes.end() ? nullptr : &*route;
}

Task<HttpResponse> handle_request(const std::vector<HttpRoute>& routes, HttpRequest request) {
  const HttpRoute* route = find_route(routes, request.path);
  if (route == nullptr) {
    co_return HttpResponse{.status = 404, .body = "there is nothing here\n"};
  }
  if (request.method != "GET" && request.method != "HEAD") {
    co_return HttpResponse{
        .status = 405, .body = "only GET and HEAD work here\n", .allow = "GET, HEAD"};
  }
  co_return co_await route->handle(std::move(request));
}

}  // namespace inventory::ops
