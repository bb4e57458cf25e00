#pragma once

// CsvReader: reads the records of a CSV text (RFC 4180): fields in quotes may contain commas,
// quotes (doubled) and line breaks. Lines may end with CRLF or LF, the last one with neither; empty
// lines and a byte order mark are skipped.
//
// Errors: a malformed record; reading goes on with the line after it.
// Memory: one record.

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace inventory::cli {

struct CsvRecord {
  std::size_t line;  // where it begins, from 1
  std::vector<std::string> fields;
};

struct CsvError {
  std::size_t line;
  std::string what;
};

class CsvReader {
 public:
  // The text must outlive the reader.
  explicit CsvReader(std::string_view text);

  // Empty at the end.
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
