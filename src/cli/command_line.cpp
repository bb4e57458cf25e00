#include "cli/command_line.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "cli/exit_status.h"
#include "config/settings.h"

namespace inventory::cli {
namespace {

std::expected<config::LoadedConfiguration, std::string> load(
    const Arguments& arguments, const config::EnvironmentLookup& environment) {
  std::optional<config::SettingsFile> file;
  const auto flag_path = arguments.setting("--config");
  const auto path = flag_path ? flag_path : environment("INVENTORY_CONFIG");
  if (flag_path || (path && !path->empty())) {
    auto read = config::read_settings_file(
        *path, flag_path ? "flag --config" : "environment INVENTORY_CONFIG");
    if (!read) return std::unexpected(std::move(read.error()));
    file = *std::move(read);
  }
  config::FlagValues flags;
  for (const config::Setting& setting : config::settings()) {
    if (auto value = arguments.setting(fmt::format("--{}", setting.name))) {
      flags.emplace(setting.name, *std::move(value));
    }
  }
  auto loaded = config::load_configuration(flags, environment, file);
  if (!loaded) return loaded;
  if (auto files = config::check_files(loaded->in_force); !files)
    return std::unexpected(std::move(files.error()));
  return loaded;
}

}  // namespace

std::expected<Invocation, Exit> parse_command_line(int argc, const char* const* argv,
                                                   std::vector<Command> commands,
                                                   const config::EnvironmentLookup& environment) {
  Arguments arguments(std::move(commands));
  if (auto exit = arguments.parse({argv + std::min(argc, 1), argv + argc})) {
    return std::unexpected(*std::move(exit));
  }
  const Command* command = arguments.command();
  if (command == nullptr && !arguments.print_config()) {
    return std::unexpected(Exit{kExitUsage, arguments.help()});
  }
  auto loaded = load(arguments, environment);
  if (!loaded) return std::unexpected(usage_error(loaded.error()));
  if (arguments.print_config()) {
    return std::unexpected(Exit{kExitDone, config::print_configuration(loaded->in_force)});
  }
  auto run = command->prepare(arguments, loaded->configuration);
  if (!run) {
    return std::unexpected(
        usage_error(fmt::format("{}: {}", arguments.command_name(), run.error())));
  }
  return Invocation{std::move(loaded->configuration), *std::move(run)};
}

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

}  // namespace inventory::cli
