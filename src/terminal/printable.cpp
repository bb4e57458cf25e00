#include "terminal/printable.h"

#include <algorithm>
#include <array>
#include <clocale>
#include <cwchar>

#include <fmt/format.h>

#include "terminal/utf8.h"

namespace inventory::terminal {
namespace {

char32_t code_of(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  static constexpr std::array<unsigned char, 5> kFirstMask{0, 0x7F, 0x1F, 0x0F, 0x07};
  char32_t code = byte(0) & kFirstMask[character.size()];
  for (std::size_t i = 1; i < character.size(); ++i) code = (code << 6) | (byte(i) & 0x3F);
  return code;
}

// wcwidth() depends on the locale, and the program sets none.
std::size_t width_of(std::string_view character) {
  static const locale_t kUtf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  if (kUtf8 == nullptr) return 1;
  const locale_t before = ::uselocale(kUtf8);
  const int width = ::wcwidth(static_cast<wchar_t>(code_of(character)));
  ::uselocale(before);
  return width < 0 ? 1 : static_cast<std::size_t>(width);
}

std::string_view next_character(std::string_view text) {
  return text.substr(0, std::max<std::size_t>(utf8_character_size(text), 1));
}

}  // namespace

std::int32_t harmful_code(std::string_view character) {
  const char32_t code = code_of(character);
  const bool is_control = code < 0x20 || (code >= 0x7F && code < 0xA0);
  const bool changes_direction = code == 0x061C || code == 0x200E || code == 0x200F ||
                                 (code >= 0x2028 && code <= 0x202E) ||
                                 (code >= 0x2066 && code <= 0x2069);
  return is_control || changes_direction ? static_cast<std::int32_t>(code) : -1;
}

std::string printable(std::string_view text, bool keep_lines) {
  std::string result;
  while (!text.empty()) {
    const std::size_t size = utf8_character_size(text);
    const std::string_view character = next_character(text);
    const bool is_layout = character == "\n" || character == "\t";
    if (size > 0 && (harmful_code(character) < 0 || (keep_lines && is_layout))) {
      result += character;
    } else {
      for (const char byte : character) {
        result += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
      }
    }
    text.remove_prefix(character.size());
  }
  return result;
}

// Outside strings, JSON has no such characters except white space, which becomes a space.
std::string printable_json(std::string_view json) {
  std::string result;
  while (!json.empty()) {
    const std::size_t size = utf8_character_size(json);
    const std::string_view character = next_character(json);
    const std::int32_t code = size == 0 ? -1 : harmful_code(character);
    if (size == 0) {
      result += "\uFFFD";
    } else if (character == "\n" || character == "\r" || character == "\t") {
      result += ' ';
    } else if (code >= 0) {
      result += fmt::format("\\u{:04x}", code);
    } else {
      result += character;
    }
    json.remove_prefix(character.size());
  }
  return result;
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const std::string_view character = next_character(text);
    columns += width_of(character);
    text.remove_prefix(character.size());
  }
  return columns;
}

std::string cut(std::string_view text, std::size_t columns) {
  if (columns == 0 || columns_of(text) <= columns) return std::string(text);
  std::size_t taken = 0;
  std::size_t end = 0;
  while (end < text.size()) {
    const std::string_view character = next_character(text.substr(end));
    taken += width_of(character);
    if (taken > columns - 1) break;
    end += character.size();
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string padded(std::string_view text, std::size_t columns) {
  const std::size_t taken = columns_of(text);
  return std::string(text) + std::string(taken < columns ? columns - taken : 0, ' ');
}

}  // namespace inventory::terminal
