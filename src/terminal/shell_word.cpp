#include "terminal/shell_word.h"

#include <cstddef>

#include "terminal/printable.h"
#include "terminal/utf8.h"

namespace inventory::terminal {

std::optional<std::string> shell_word(std::string_view text) {
  static constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:/@%+,";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos) {
    return std::string(text);
  }
  std::string word = "'";
  while (!text.empty()) {
    const std::size_t size = utf8_character_size(text);
    if (size == 0 || harmful_code(text.substr(0, size)) >= 0) return std::nullopt;
    const std::string_view character = text.substr(0, size);
    word += character == "'" ? R"('\'')" : character;
    text.remove_prefix(size);
  }
  return word += '\'';
}

}  // namespace inventory::terminal
