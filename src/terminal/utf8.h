#pragma once

// UTF-8: which bytes are well-formed text (Unicode 15, table 3-7).

#include <cstddef>
#include <string_view>

namespace inventory::terminal {

// The size in bytes, 1 to 4, of the character that `text` begins with; 0 if it begins with none:
// it is empty, a stray or missing continuation byte, an overlong form, a surrogate, or beyond
// U+10FFFF.
std::size_t utf8_character_size(std::string_view text);

bool is_utf8(std::string_view text);

}  // namespace inventory::terminal
