#pragma once

// Printable: text from outside as a terminal may get it. What a terminal obeys (C0, DEL, C1) and
// what changes the order of what a person reads (bidirectional controls, line separators) is
// escaped; all else is left as it is.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace inventory::terminal {

// The code of this UTF-8 character if it is one of those; or -1.
std::int32_t harmful_code(std::string_view character);

// Escaped byte by byte (\x1b), as are bytes that are no UTF-8. keep_lines: line ends and tabs stay.
std::string printable(std::string_view text, bool keep_lines = false);

// The same for a JSON text, which stays the same to whoever parses it: \u001b, \u202e.
std::string printable_json(std::string_view json);

// The columns of a terminal that a printable text takes (wcwidth).
std::size_t columns_of(std::string_view text);

// What fits into so many columns, with an ellipsis if that is not all; 0: all of it.
std::string cut(std::string_view text, std::size_t columns);

// Filled with spaces up to so many columns.
std::string padded(std::string_view text, std::size_t columns);

}  // namespace inventory::terminal
