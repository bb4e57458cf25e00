#pragma once

// Dead letters as people and machines read them.
//
// They hold nothing that a terminal would obey, whatever a message holds (terminal/printable.h).

#include <cstddef>
#include <string>

#include "cli/commands/dead_letters/dead_letter.h"

namespace inventory::cli {

// A table: its head, and one line a letter, at most `columns` wide (0: as wide as it gets). Without
// line ends. The message comes before the identity: on 80 columns it is the one that is seen.
std::string table_head(std::size_t columns);
std::string table_line(const DeadLetter& letter, std::size_t columns);

// The whole letter: properties, headers, body; several lines, the last one ended.
std::string full_text(const DeadLetter& letter);

// The whole letter as a JSON object in one line, without its end. Bytes that are no UTF-8 are
// {"base64": ...}, also as the body.
std::string json_line(const DeadLetter& letter);

}  // namespace inventory::cli
