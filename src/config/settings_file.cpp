#include "config/settings_file.h"

#include <algorithm>
#include <span>
#include <toml++/toml.h>
#include <utility>

#include <fmt/format.h>

#include "terminal/utf8.h"

namespace inventory::config {
namespace {

constexpr std::string_view kTakesSetting = "a line takes key = value";
constexpr std::string_view kNoTables = "tables are not used here: write key = value";
constexpr std::string_view kTakesValue = R"(the value takes "text in quotes" or a whole number)";

bool is_key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

// TOML allows no control character except the tab, not even in comments.
bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; }

std::unexpected<std::string> wrong_line(std::size_t line, std::string_view what) {
  return std::unexpected(fmt::format("line {}: {}", line, what));
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    // A line ends with CR LF or LF; any other CR is a control character, also at the file's end.
    if (end != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
  }
  return lines;
}

// The key that a line sets; empty if it sets none, or if the key is in quotes.
std::string_view key_of(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const auto end = std::ranges::find_if_not(line, is_key_character);
  const std::string_view key(line.begin(), end);
  line.remove_prefix(key.size());
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  return line.starts_with('=') ? key : std::string_view();
}

// Says what is wrong with the value in a line that begins with a key and is no TOML.
std::string explain_value(std::string_view error, std::string_view line) {
  if (error.contains("escape sequence") || error.contains("unicode scalar")) {
    return R"(a \ begins no escape that TOML knows; write \\ for itself)";
  }
  if (const auto quote = line.find_first_of("\"'");
      error.contains("string: ") && quote != std::string_view::npos) {
    return fmt::format("the closing {} is missing", line[quote]);
  }
  if (error.contains("expected a comment")) return "only a # comment may follow the value";
  return std::string(kTakesValue);
}

// Says what is wrong with a line. The parser's error is not used: it may repeat a part of a value.
// before: the lines above.
std::string explain(const toml::parse_error& error, std::string_view before,
                    std::string_view line) {
  toml::table above;
  try {
    above = toml::parse(before);
  } catch (const toml::parse_error&) {
    return "a value over several lines is not closed, or not well-formed";
  }
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  if (line.starts_with('[')) return std::string(kNoTables);
  const std::string_view key = key_of(line);
  if (key.empty()) return std::string(kTakesSetting);
  if (const auto* earlier = above.get(key)) {
    return fmt::format("{} is already set in line {}", key, earlier->source().begin.line);
  }
  return fmt::format("{}: {}", key, explain_value(error.description(), line));
}

std::expected<std::string, std::string_view> read_value(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return fmt::to_string(number->get());
  const bool is_table = node.is_table() || node.is_array_of_tables();
  return std::unexpected(is_table ? kNoTables : kTakesValue);
}

std::expected<std::vector<FileSetting>, std::string> read_table(
    const toml::table& table, std::span<const std::string_view> lines) {
  std::vector<std::pair<std::size_t, toml::table::const_iterator>> entries;
  for (auto entry = table.begin(); entry != table.end(); ++entry) {
    entries.emplace_back(entry->second.source().begin.line, entry);
  }
  std::ranges::sort(entries, {}, [](const auto& entry) { return entry.first; });
  std::vector<FileSetting> settings;
  for (const auto& [line, entry] : entries) {
    auto value = read_value(entry->second);
    if (!value) {
      const std::string_view key = key_of(lines[line - 1]);
      return wrong_line(line, fmt::format("{}{}{}", key, key.empty() ? "" : ": ", value.error()));
    }
    settings.push_back({std::string(entry->first), *std::move(value), static_cast<int>(line)});
  }
  return settings;
}

}  // namespace

std::expected<std::vector<FileSetting>, std::string> parse_settings_file(std::string_view text) {
  if (text.size() > kSettingsFileBytesMax) {
    return wrong_line(1, fmt::format("takes at most {} bytes", kSettingsFileBytesMax));
  }
  const auto lines = split_lines(text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (std::ranges::any_of(lines[i], is_control) || !terminal::is_utf8(lines[i])) {
      return wrong_line(i + 1, "a control character, or bytes that are not UTF-8");
    }
  }
  try {
    return read_table(toml::parse(text), lines);
  } catch (const toml::parse_error& error) {
    // The error may name the line after the last one.
    const std::size_t line = std::clamp<std::size_t>(error.source().begin.line, 1, lines.size());
    const std::string_view wrong = lines[line - 1];
    const std::string_view before =
        text.substr(0, static_cast<std::size_t>(wrong.data() - text.data()));
    return wrong_line(line, explain(error, before, wrong));
  }
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
