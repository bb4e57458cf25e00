#pragma once

// Printable: makes text from outside safe for a terminal. Escapes control characters (C0, DEL, C1)
// and those that change the order of what a person reads (bidirectional controls, line separators);
// leaves all others unchanged.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace inventory::terminal {

// The code of this UTF-8 character if it must be escaped, else -1.
std::int32_t harmful_code(std::string_view character);

// Escapes each byte of such a character (\x1b), and bytes that are not valid UTF-8. keep_lines:
// leaves newlines and tabs.
std::string printable(std::string_view text, bool keep_lines = false);

// The same for a JSON text, whose meaning stays the same: \u001b, \u202e.
std::string printable_json(std::string_view json);

// The width of a printable text in columns (wcwidth).
std::size_t columns_of(std::string_view text);

// Cuts the text to this width, with an ellipsis if it was longer; 0: no limit.
std::string cut(std::string_view text, std::size_t columns);

// Fills the text with spaces to this width.
std::string padded(std::string_view text, std::size_t columns);

}  // namespace inventory::terminal
