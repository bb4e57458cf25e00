#pragma once

// What HTTP pages that read the database have in common.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ops/http.h"
#include "store/error.h"

namespace inventory::server {

inline constexpr std::size_t kRowsPerPage = 100;
inline constexpr std::size_t kRowsPerPageMax = 1'000;
inline constexpr std::size_t kPageBytesMax = std::size_t{128} * 1024;  // unless one row has more

ops::HttpResponse json_response(std::string body);

ops::HttpResponse not_found(std::string_view what);
ops::HttpResponse bad_request(std::string_view what);

// 503 with Retry-After and the reason.
ops::HttpResponse unavailable(const store::Error& error);

// A parameter of the query as a number, `otherwise` if it is not given; empty if it is no number or
// out of bounds.
std::optional<std::int64_t> number_parameter(const ops::HttpRequest& request, std::string_view name,
                                             std::int64_t otherwise, std::int64_t min,
                                             std::int64_t max);

// Reads a product's id from a path or a query.
std::optional<std::int64_t> read_product_id(std::string_view text);

}  // namespace inventory::server
