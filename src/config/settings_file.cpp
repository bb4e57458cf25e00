#include "config/settings_file.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "terminal/utf8.h"

namespace inventory::config {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '_';
}

// TOML allows no control character but the tab, in comments neither.
bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; }

void append_utf8(std::string& text, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

// LineReader: reads one line from its start; each function takes what it names off the front.
// The errors are sentences without the line's number.
class LineReader {
 public:
  using Value = std::expected<std::string, std::string>;

  explicit LineReader(std::string_view line) : rest_(line) {}

  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size())); }

  bool at_end() const { return rest_.empty() || rest_.front() == '#'; }

  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string take_key() {
    const auto end = std::ranges::find_if_not(rest_, is_key_character);
    std::string key(rest_.begin(), end);
    rest_.remove_prefix(key.size());
    return key;
  }

  Value take_value() {
    if (rest_.starts_with(R"(""")") || rest_.starts_with("'''")) {
      return std::unexpected("a string over several lines is not understood here");
    }
    if (take('"')) return take_basic_string();
    if (take('\'')) return take_literal_string();
    return take_number();
  }

 private:
  Value take_literal_string() {
    const std::size_t end = rest_.find('\'');
    if (end == std::string_view::npos) return std::unexpected("the closing ' is missing");
    std::string value(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return value;
  }

  Value take_basic_string() {
    std::string value;
    while (!take('"')) {
      if (rest_.empty()) return std::unexpected("the closing \" is missing");
      if (take('\\')) {
        if (!take_escape(value)) {
          return std::unexpected(R"(a \ begins no escape that TOML knows; write \\ for itself)");
        }
      } else {
        value.push_back(rest_.front());
        rest_.remove_prefix(1);
      }
    }
    return value;
  }

  bool take_escape(std::string& value) {
    static constexpr std::string_view kNames = "btnfr\"\\";
    static constexpr std::string_view kMeanings = "\b\t\n\f\r\"\\";
    if (rest_.empty()) return false;
    const char name = rest_.front();
    rest_.remove_prefix(1);
    if (name == 'u' || name == 'U') {
      const auto code = take_hexadecimal(name == 'u' ? 4 : 8);
      if (!code || (*code >= 0xD800 && *code <= 0xDFFF) || *code > 0x10FFFF) return false;
      append_utf8(value, *code);
      return true;
    }
    const std::size_t index = kNames.find(name);
    if (index == std::string_view::npos) return false;
    value.push_back(kMeanings[index]);
    return true;
  }

  std::optional<std::uint32_t> take_hexadecimal(std::size_t digits) {
    if (rest_.size() < digits) return std::nullopt;
    const std::string_view text = rest_.substr(0, digits);
    std::uint32_t code = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code, 16);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    rest_.remove_prefix(digits);
    return code;
  }

  // A decimal integer as TOML writes it: no leading zeros, underscores between digits only.
  Value take_number() {
    const std::unexpected wrong(
        std::string(R"(the value takes "text in quotes" or a whole number)"));
    std::string value;
    if (take('-')) {
      value = "-";
    } else {
      static_cast<void>(take('+'));
    }
    const std::size_t sign = value.size();
    while (!rest_.empty() && is_digit(rest_.front())) {
      value.push_back(rest_.front());
      rest_.remove_prefix(1);
      if (rest_.size() > 1 && rest_[0] == '_' && is_digit(rest_[1])) rest_.remove_prefix(1);
    }
    if (value.size() == sign || (value[sign] == '0' && value.size() > sign + 1)) return wrong;
    if (!at_end() && rest_.front() != ' ' && rest_.front() != '\t') return wrong;
    return value;
  }

  std::string_view rest_;
};

// One line. The key is empty if it holds no setting.
std::expected<FileSetting, std::string> parse_line(std::string_view line, int number) {
  if (std::ranges::any_of(line, is_control) || !terminal::is_utf8(line)) {
    return std::unexpected("a control character, or bytes that are not UTF-8");
  }
  LineReader reader(line);
  reader.skip_space();
  if (reader.at_end()) return FileSetting{{}, {}, number};
  if (reader.take('[')) return std::unexpected("tables are not used here: write key = value");

  std::string key = reader.take_key();
  reader.skip_space();
  if (key.empty() || !reader.take('=')) return std::unexpected("a line takes key = value");
  reader.skip_space();
  auto value = reader.take_value();
  if (!value) return std::unexpected(fmt::format("{}: {}", key, value.error()));
  reader.skip_space();
  if (!reader.at_end()) {
    return std::unexpected(fmt::format("{}: only a # comment may follow the value", key));
  }
  return FileSetting{std::move(key), *std::move(value), number};
}

}  // namespace

std::expected<std::vector<FileSetting>, std::string> parse_settings_file(std::string_view text) {
  if (text.size() > kSettingsFileBytesMax) {
    return std::unexpected(fmt::format("line 1: takes at most {} bytes", kSettingsFileBytesMax));
  }
  std::vector<FileSetting> settings;
  std::map<std::string, int> lines;  // where each key was set
  for (int number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    const bool is_last = line.size() == text.size();
    text.remove_prefix(is_last ? line.size() : line.size() + 1);
    // A line ends in CR LF, or LF; a CR alone is a control character, at the end of the file too.
    if (!is_last && line.ends_with('\r')) line.remove_suffix(1);

    auto setting = parse_line(line, number);
    if (!setting) return std::unexpected(fmt::format("line {}: {}", number, setting.error()));
    if (setting->key.empty()) continue;
    const auto [earlier, is_new] = lines.emplace(setting->key, number);
    if (!is_new) {
      return std::unexpected(fmt::format("line {}: {} is already set in line {}", number,
                                         earlier->first, earlier->second));
    }
    settings.push_back(*std::move(setting));
  }
  return settings;
}

std::string toml_string(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    const std::size_t size = std::max<std::size_t>(terminal::utf8_character_size(text), 1);
    const std::string_view character = text.substr(0, size);
    text.remove_prefix(size);
    if (character == "\"" || character == "\\") {
      quoted += '\\';
      quoted += character;
    } else if (size == 1 && (is_control(character[0]) || character == "\t")) {
      quoted += fmt::format("\\u{:04X}", static_cast<unsigned char>(character[0]));
    } else if (!terminal::is_utf8(character)) {
      quoted += "\uFFFD";
    } else {
      quoted += character;
    }
  }
  return quoted + '"';
}

}  // namespace inventory::config
