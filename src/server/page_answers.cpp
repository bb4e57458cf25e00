#include "server/page_answers.h"

#include <utility>

#include <fmt/format.h>

#include "config/integer.h"
#include "contract/limits.h"

namespace inventory::server {

ops::HttpResponse json_response(std::string body) {
  return {.body = std::move(body) + "\n", .content_type = "application/json"};
}

ops::HttpResponse not_found(std::string_view what) {
  return {.status = 404, .body = fmt::format("{}\n", what)};
}

ops::HttpResponse bad_request(std::string_view what) {
  return {.status = 400, .body = fmt::format("{}\n", what)};
}

ops::HttpResponse unavailable(const store::Error& error) {
  return {.status = 503, .body = fmt::format("{}\n", error.what), .retry_after = "1"};
}

std::optional<std::int64_t> number_parameter(const ops::HttpRequest& request, std::string_view name,
                                             std::int64_t otherwise, std::int64_t min,
                                             std::int64_t max) {
  const auto text = ops::query_parameter(request.query, name);
  if (!text) return otherwise;
  const auto number = config::parse_integer(*text);
  if (!number || *number < min || *number > max) return std::nullopt;
  return number;
}

std::optional<std::int64_t> read_product_id(std::string_view text) {
  const auto id = config::parse_integer(text);
  return id && *id >= 1 && *id <= contract::kIntegerMax ? id : std::nullopt;
}

}  // namespace inventory::server
