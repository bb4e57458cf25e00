#include "server/console_files.h"

#include <utility>

namespace inventory::server {

std::string_view content_type(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".svg", "image/svg+xml"},
  };
  for (const auto& [end, type] : kTypes) {
    if (name.ends_with(end)) return type;
  }
  return "text/plain; charset=utf-8";
}

}  // namespace inventory::server
