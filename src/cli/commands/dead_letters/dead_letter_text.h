#pragma once

// Dead letters as text for people and as JSON.
//
// Control characters in messages are escaped (terminal/printable.h).

#include <cstddef>
#include <string>

#include "cli/commands/dead_letters/dead_letter.h"

namespace inventory::cli {

// A table: its head, and one line for each letter, at most `columns` wide (0: no limit), without
// newlines. The message comes before the identity, so that 80 columns show it.
std::string table_head(std::size_t columns);
std::string table_line(const DeadLetter& letter, std::size_t columns);

// The whole letter: properties, headers, body; several lines, each with its newline.
std::string full_text(const DeadLetter& letter);

// The whole letter as a JSON object in one line, without a newline. Texts that are not valid UTF-8
// become {"base64": ...}, also the body.
std::string json_line(const DeadLetter& letter);

}  // namespace inventory::cli
