#pragma once

// shell_word: quotes a text from outside for a command line that a person copies from a page into a
// terminal.

#include <optional>
#include <string>
#include <string_view>

namespace inventory::terminal {

// The word for a POSIX shell, in quotes if necessary. Empty if no quoting makes the text safe: it
// has characters that a terminal obeys or that mislead the reader (see harmful_code()), or it is
// not valid UTF-8.
std::optional<std::string> shell_word(std::string_view text);

}  // namespace inventory::terminal
