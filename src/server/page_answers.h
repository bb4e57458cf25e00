#pragma once

// What answers over HTTP that come from the database have in common.

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

// 503 with Retry-After, and why.
ops::HttpResponse unavailable(const store::Error& error);

// A parameter of the query as a number; its default where it is not given; nothing where it is not
// within these bounds.
std::optional<std::int64_t> number_parameter(const ops::HttpRequest& request, std::string_view name,
                                             std::int64_t otherwise, std::int64_t min,
                                             std::int64_t max);

// A product's id as a path or a query has it.
std::optional<std::int64_t> read_product_id(std::string_view text);

}  // namespace inventory::server
