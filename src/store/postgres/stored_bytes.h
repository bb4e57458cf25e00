#pragma once

// Text as it is stored: a server that does not know its encoding (SQL_ASCII) would refuse the whole
// result if a text in it is not UTF-8.

#include <string>
#include <string_view>

#include <fmt/format.h>

namespace inventory::store::postgres {

// An SQL expression for the bytes of a text column.
inline std::string bytes_of(std::string_view column) {
  return fmt::format(
      "convert_to({}::text, CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN "
      "'SQL_ASCII' ELSE 'UTF8' END)",
      column);
}

}  // namespace inventory::store::postgres
