// Settings files, as settings and as a configuration.
//
// Promised: errors are one line; what is read is read again when it is written; a configuration
// that is shown is a settings file that gives the same again.

#include "config/settings_file.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "config/configuration.h"
#include "config/settings.h"
#include "target.h"
#include "terminal/utf8.h"

namespace inventory::fuzz {
namespace {

bool is_one_line(std::string_view text) {
  return !text.empty() && terminal::is_utf8(text) &&
         std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

void check_settings(std::string_view text) {
  const auto settings = config::parse_settings_file(text);
  if (!settings) {
    promise(settings.error().starts_with("line ") && is_one_line(settings.error()),
            "an error is one line that names the line");
    return;
  }
  promise(text.size() <= config::kSettingsFileBytesMax, "a file that is too large is refused");
  std::string again;
  for (const auto& setting : *settings) {
    again += config::toml_string(setting.key) + " = " + config::toml_string(setting.value) + "\n";
  }
  const auto reread = config::parse_settings_file(again);
  promise(reread && std::ranges::equal(
                        *reread, *settings, {},
                        [](const auto& one) { return std::pair(one.key, one.value); },
                        [](const auto& one) { return std::pair(one.key, one.value); }),
          "what is written as TOML is read back");
}

std::expected<config::LoadedConfiguration, std::string> load(std::string_view text) {
  const auto nothing = [](const std::string&) { return std::optional<std::string>(); };
  return config::load_configuration({}, nothing,
                                    config::SettingsFile{"fuzz.toml", std::string(text)});
}

void check_configuration(std::string_view text) {
  const auto loaded = load(text);
  if (!loaded) {
    promise(is_one_line(loaded.error()), "an error is one line");
    return;
  }
  const std::string shown = config::print_configuration(loaded->in_force);
  const auto again = config::parse_settings_file(shown);
  promise(again.has_value() && again->size() == loaded->in_force.size(),
          "what is shown is a settings file with every setting");
  for (std::size_t i = 0; i < again->size(); ++i) {
    const auto& in_force = loaded->in_force[i];
    promise((*again)[i].key == in_force.setting->name, "what is shown is named");
    promise(in_force.setting->may_hold_credentials || (*again)[i].value == in_force.text,
            "what is shown is in force");
  }
}

// Any bytes as a TOML string: in one line, whatever they are, and read back if they are UTF-8.
void check_string(std::string_view bytes) {
  const std::string quoted = config::toml_string(bytes);
  promise(is_one_line(quoted), "a TOML string is one line of UTF-8");
  const auto reread = config::parse_settings_file("key = " + quoted);
  if (quoted.size() + 6 > config::kSettingsFileBytesMax) return;
  promise(reread.has_value(), "a TOML string can be read");
  promise(!terminal::is_utf8(bytes) || reread->front().value == bytes,
          "a TOML string is read back");
  const std::string short_form = config::quoted_for_message(bytes);
  promise(is_one_line(short_form), "a text in a message is one line of UTF-8");
}

}  // namespace
}  // namespace inventory::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace inventory::fuzz;
  const auto text = text_of(data, size);
  check_settings(text);
  check_configuration(text);
  check_string(text);
  return 0;
}
