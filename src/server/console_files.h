#pragma once

// The files that the console's page is made of, as cmake/embed_files.cmake has put them into the
// program.

#include <span>
#include <string_view>

namespace inventory::server {

struct ConsoleFile {
  std::string_view name;  // "console.js"
  std::string_view content;
};

std::span<const ConsoleFile> console_files();

// By the end of a file's name; of one that no page of ours has, text/plain.
std::string_view content_type(std::string_view name);

}  // namespace inventory::server
