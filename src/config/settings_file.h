#pragma once

// Settings file: TOML 1.0 (https://toml.io/en/v1.0.0), read by toml++: one setting a line, a string
// or a 64-bit integer. Tables, arrays, dates and the like are refused.
// (CLI11's own reader is not used: it cuts a string at a #, knows no escapes, and skips lines that
// it does not understand.)
//
// Errors never repeat a value: it may be a credential.

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace inventory::config {

inline constexpr std::size_t kSettingsFileBytesMax = 65'536;

struct FileSetting {
  std::string key;
  std::string value;  // a string's content, or a number's digits
  int line;           // from 1

  friend bool operator==(const FileSetting&, const FileSetting&) = default;
};

// Parses a file's text. A key that occurs twice is an error. Errors begin with the line:
// "line 3: ...".
std::expected<std::vector<FileSetting>, std::string> parse_settings_file(std::string_view text);

// A text as a TOML basic string, in one line, with quotes.
std::string toml_string(std::string_view text);

}  // namespace inventory::config
