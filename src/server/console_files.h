#pragma once

// The files of the console's page, as cmake/embed_files.cmake has embedded them in the program.

#include <span>
#include <string_view>

namespace inventory::server {

struct ConsoleFile {
  std::string_view name;  // "console.js"
  std::string_view content;
};

std::span<const ConsoleFile> console_files();

// Chosen by the file name's extension; text/plain for an extension that the console does not use.
std::string_view content_type(std::string_view name);

}  // namespace inventory::server
