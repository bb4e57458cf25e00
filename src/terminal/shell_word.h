#pragma once

// A text from outside as a word of a command line, to be copied from a page into a terminal.

#include <optional>
#include <string>
#include <string_view>

namespace inventory::terminal {

// The word for a POSIX shell, in quotes where it needs some. Nothing if the text cannot stand there
// harmlessly: a terminal would obey some of it before a shell sees it, or people would read
// something else than is done (see harmful_code()), or it is no UTF-8.
std::optional<std::string> shell_word(std::string_view text);

}  // namespace inventory::terminal
