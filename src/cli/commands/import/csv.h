#pragma once

// CsvReader: the records of a CSV text, as RFC 4180 has them: fields in quotes may hold commas,
// quotes (doubled) and line ends. Lines may end with CRLF or LF, the last one with neither; empty
// lines and a byte order mark are passed over.
//
// Errors: a record that is not well-formed; reading goes on with the line after it.
// Memory: one record.

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace inventory::cli {

struct CsvRecord {
  std::size_t line;  // on which it begins, from 1
  std::vector<std::string> fields;
};

struct CsvError {
  std::size_t line;
  std::string what;
};

class CsvReader {
 public:
  // The text stays valid while it is read.
  explicit CsvReader(std::string_view text);

  // Nothing at the end.
  std::optional<std::expected<CsvRecord, CsvError>> next();

 private:
  std::expected<std::string, std::string> take_field();
  std::expected<std::string, std::string> take_quoted_field();
  bool take_line_end();
  void skip_line();

  std::string_view rest_;
  std::size_t line_ = 1;
};

}  // namespace inventory::cli
