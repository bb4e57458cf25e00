#pragma once

// UTF-8: checks that bytes are well-formed (Unicode 15, table 3-7).

#include <cstddef>
#include <string_view>

namespace inventory::terminal {

// The size in bytes, 1 to 4, of the first character of `text`; 0 if it does not begin with a
// well-formed character: it is empty, has a stray or missing continuation byte, an overlong form, a
// surrogate, or a code beyond U+10FFFF.
std::size_t utf8_character_size(std::string_view text);

bool is_utf8(std::string_view text);

}  // namespace inventory::terminal
