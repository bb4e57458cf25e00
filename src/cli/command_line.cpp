#include "cli/command_line.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <utility>

#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/commands/dead_letters/options.h"
#include "cli/options.h"
#include "config/integer.h"
#include "config/settings.h"
#include "terminal/printable.h"
#include "terminal/utf8.h"

namespace inventory::cli {
namespace {

using Command = decltype(Invocation::command);

std::expected<std::chrono::seconds, std::string> read_timeout(const Arguments& arguments) {
  const auto seconds = read_integer("--timeout", arguments.option("--timeout").value_or("10"), 1,
                                    kTimeoutMaxSeconds);
  if (!seconds) return Wrong(seconds.error());
  return std::chrono::seconds(*seconds);
}

std::expected<Command, std::string> read_add(const Arguments& arguments) {
  const auto quantity = read_integer("--quantity", arguments.option("--quantity"), 0, kIntegerMax);
  if (!quantity) return Wrong(quantity.error());
  auto description = arguments.option("--description");
  if (description &&
      (description->size() > kDescriptionBytesMax || !terminal::is_utf8(*description))) {
    return Wrong(
        fmt::format("--description takes at most {} bytes of UTF-8", kDescriptionBytesMax));
  }
  const auto timeout = read_timeout(arguments);
  if (!timeout) return Wrong(timeout.error());
  return AddCommand{*quantity, std::move(description), *timeout};
}

std::expected<Command, std::string> read_order(const Arguments& arguments) {
  const auto product =
      read_integer("--product-id", arguments.option("--product-id"), 1, kIntegerMax);
  if (!product) return Wrong(product.error());
  const auto quantity = read_integer("--quantity", arguments.option("--quantity"), 1, kIntegerMax);
  if (!quantity) return Wrong(quantity.error());
  const auto given = arguments.option("--order-id");
  const std::string text = given ? *given : to_string(boost::uuids::random_generator()());
  auto id = parse_order_id(text);
  if (!id) {
    return Wrong(fmt::format("--order-id takes an integer, or 1 to {} bytes of UTF-8; not {}",
                             kOrderIdBytesMax, config::quoted_for_message(text)));
  }
  const auto timeout = read_timeout(arguments);
  if (!timeout) return Wrong(timeout.error());
  return OrderCommand{*std::move(id), *product, *quantity, *timeout};
}

std::expected<Command, std::string> read_import(const Arguments& arguments) {
  const auto path = arguments.option("file");
  if (!path || path->empty()) return Wrong("a file's name is missing");
  ImportCommand command{
      .path = *path,
      .name = arguments.option("--name").value_or(std::filesystem::path(*path).filename().string()),
      .skip_bad = arguments.flag("--skip-bad"),
      .dry_run = arguments.flag("--dry-run"),
      .timeout = {}};
  const auto timeout = read_timeout(arguments);
  if (!timeout) return Wrong(timeout.error());
  command.timeout = *timeout;
  return command;
}

std::expected<Command, std::string> read_stock(const Arguments& arguments) {
  StockCommand command;
  command.json = arguments.flag("--json");
  for (const auto& [flag, min] :
       {std::pair("--product-id", 1), std::pair("--after", 0), std::pair("--limit", 1)}) {
    const auto text = arguments.option(flag);
    if (!text) continue;
    const auto number = read_integer(flag, text, min, kIntegerMax);
    if (!number) return Wrong(number.error());
    if (std::string_view(flag) == "--product-id") command.product_id = *number;
    if (std::string_view(flag) == "--after") command.after = *number;
    if (std::string_view(flag) == "--limit") command.limit = static_cast<std::size_t>(*number);
  }
  return command;
}

std::expected<Command, std::string> read_command(const Arguments& arguments, std::string_view name,
                                                 const config::Configuration& configuration) {
  if (name.starts_with("dead-letters ")) return read_dead_letters(arguments, configuration);
  if (name == "stock") return read_stock(arguments);
  if (name == "import") return read_import(arguments);
  if (name == "serve") return ServeCommand{};
  if (name == "migrate") return MigrateCommand{arguments.flag("--dry-run")};
  if (name == "verify") return VerifyCommand{};
  return name == "add" ? read_add(arguments) : read_order(arguments);
}

std::expected<config::LoadedConfiguration, std::string> load(
    const Arguments& arguments, const config::EnvironmentLookup& environment) {
  std::optional<config::SettingsFile> file;
  const auto flag_path = arguments.setting("--config");
  const auto path = flag_path ? flag_path : environment("INVENTORY_CONFIG");
  if (flag_path || (path && !path->empty())) {
    auto read = config::read_settings_file(
        *path, flag_path ? "flag --config" : "environment INVENTORY_CONFIG");
    if (!read) return Wrong(std::move(read.error()));
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
    return Wrong(std::move(files.error()));
  return loaded;
}

}  // namespace

int report_failure(std::string_view why) {
  fmt::print(stderr, "inventory-service: {}\n", terminal::printable(why));
  return kExitFailed;
}

std::expected<Invocation, Exit> parse_command_line(int argc, const char* const* argv,
                                                   const config::EnvironmentLookup& environment) {
  Arguments arguments;
  if (auto exit = arguments.parse({argv + std::min(argc, 1), argv + argc})) {
    return std::unexpected(*std::move(exit));
  }
  const std::string name = arguments.command();
  const bool is_incomplete = name.empty() || name == "dead-letters";
  if (is_incomplete && !arguments.print_config()) {
    return std::unexpected(Exit{kExitUsage, arguments.help()});
  }
  auto loaded = load(arguments, environment);
  if (!loaded) return std::unexpected(usage_error(loaded.error()));
  if (arguments.print_config()) {
    return std::unexpected(Exit{0, config::print_configuration(loaded->in_force)});
  }
  auto command = read_command(arguments, name, loaded->configuration);
  if (!command) return std::unexpected(usage_error(fmt::format("{}: {}", name, command.error())));
  return Invocation{std::move(loaded->configuration), *std::move(command)};
}

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

std::optional<domain::OrderId> parse_order_id(std::string_view text) {
  if (const auto number = config::parse_integer(text); number && *number >= -kIntegerMax &&
                                                       *number <= kIntegerMax &&
                                                       std::to_string(*number) == text) {
    return domain::OrderId(*number);
  }
  if (text.empty() || text.size() > kOrderIdBytesMax || !terminal::is_utf8(text))
    return std::nullopt;
  return domain::OrderId(std::string(text));
}

}  // namespace inventory::cli
