#include "terminal/utf8.h"

namespace inventory::terminal {
namespace {

// The bytes that may follow a first byte: all are continuation bytes; the second has narrower
// bounds if it could otherwise make an overlong form, a surrogate, or a code beyond U+10FFFF.
struct Form {
  std::size_t size;
  unsigned char second_min;
  unsigned char second_max;
};

Form form_of(unsigned char first) {
  if (first < 0x80) return {1, 0, 0};
  if (first < 0xC2) return {0, 0, 0};
  if (first < 0xE0) return {2, 0x80, 0xBF};
  if (first == 0xE0) return {3, 0xA0, 0xBF};
  if (first == 0xED) return {3, 0x80, 0x9F};
  if (first < 0xF0) return {3, 0x80, 0xBF};
  if (first == 0xF0) return {4, 0x90, 0xBF};
  if (first < 0xF4) return {4, 0x80, 0xBF};
  if (first == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

std::size_t utf8_character_size(std::string_view text) {
  if (text.empty()) return 0;
  const Form form = form_of(static_cast<unsigned char>(text[0]));
  if (form.size > text.size()) return 0;
  for (std::size_t i = 1; i < form.size; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const unsigned char byte_min = i == 1 ? form.second_min : 0x80;
    const unsigned char byte_max = i == 1 ? form.second_max : 0xBF;
    if (byte < byte_min || byte > byte_max) return 0;
  }
  return form.size;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = utf8_character_size(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

}  // namespace inventory::terminal
