#include "app/command_line.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <fmt/format.h>

#include "app/settings.h"
#include "ops/utf8.h"

namespace inventory::app {
namespace {

constexpr std::string_view kProgram = "inventory-service";
constexpr std::int64_t kIntegerMax = (std::int64_t{1} << 53) - 1;  // of JSON, in the contract
constexpr std::size_t kDescriptionBytesMax = 10'000;
constexpr std::size_t kOrderIdBytesMax = 128;
constexpr std::int64_t kTimeoutMaxSeconds = 3600;

constexpr const char* kFooter =
    R"(Sources of a setting, the first that has it: flag, environment, file, default. An empty variable
counts as not set. A file holds lines such as  prefetch = 2000  and  order-queue = "orders".

Examples:
  inventory-service serve
  inventory-service serve --amqp-url amqp://user:password@broker/ --queue-type quorum
  inventory-service migrate --database-url postgresql://user:password@host/inventory
  inventory-service add --quantity 10 --description "Blue T-shirt, size M"
  inventory-service order --product-id 1 --quantity 2
  inventory-service --print-config

Exit codes: 0 done; 1 failed, or a request rejected; 2 wrong command line or setting, or no answer
in time. A command's --help says more.)";

constexpr const char* kSettingsHint =
    "Settings, such as --amqp-url or --config: see inventory-service --help.";

using Command = decltype(Invocation::command);

// Wrong: a line for the person at the command line, without the program's name.
using Wrong = std::unexpected<std::string>;

Exit usage_error(std::string_view line) {
  return {kExitUsage, fmt::format("{}: {}\n", kProgram, line)};
}

// CommandLine: the one CLI11 definition. CLI11 splits the arguments and writes the help; values are
// taken from it as texts, so that each is checked, and each error worded, in one place.
class CommandLine {
 public:
  CommandLine() {
    app_.set_version_flag("--version", fmt::format("{} {}", kProgram, INVENTORY_VERSION));
    app_.set_help_flag("-h,--help", "Print this help");
    app_.get_formatter()->column_width(34);
    app_.allow_extras();  // unexpected arguments are ours to report: they may hold credentials
    app_.fallthrough();   // settings may follow a command
    app_.require_subcommand(0, 1);
    app_.footer(kFooter);
    app_.add_flag("--print-config", "Print the settings in force, passwords masked, and exit");
    add_option(app_, "--config", "FILE", "settings file, TOML\n(INVENTORY_CONFIG)");
    for (const Setting& setting : settings()) {
      add_option(app_, fmt::format("--{}", setting.name), setting.placeholder,
                 fmt::format("{}\ntakes {}\n({}{}{})", setting.description, setting.takes,
                             setting.environment, setting.default_text.empty() ? "" : ", default ",
                             setting.default_text));
    }
    define_commands();
  }

  // Nothing, or how the program ends.
  std::optional<Exit> parse(std::vector<std::string> arguments) {
    std::ranges::reverse(arguments);  // as CLI11 takes a vector
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::CallForVersion& version) {
      return Exit{0, fmt::format("{}\n", version.what())};
    } catch (const CLI::Success&) {
      return Exit{0, help()};
    } catch (const CLI::ArgumentMismatch& mismatch) {
      // "--name: 1 required NAME missing" is the only one: no other option counts its values.
      const std::string_view text = mismatch.what();
      return usage_error(fmt::format("{} takes a value", text.substr(0, text.find(':'))));
    } catch (const CLI::ParseError& error) {
      return usage_error(error.get_name());
    }
    if (auto wrong = check_arguments()) return usage_error(*wrong);
    return std::nullopt;
  }

  std::string help() const {
    const auto chosen = app_.get_subcommands();
    return chosen.empty() ? app_.help(std::string(kProgram))
                          : chosen[0]->help(std::string(kProgram));
  }

  bool print_config() const { return app_.count("--print-config") > 0; }

  // The command's name, or nothing.
  std::optional<std::string> command() const {
    const auto chosen = app_.get_subcommands();
    if (chosen.empty()) return std::nullopt;
    return chosen[0]->get_name();
  }

  std::optional<std::string> setting(const std::string& flag) const { return value(app_, flag); }

  // Of the command that was chosen.
  std::optional<std::string> option(const std::string& flag) const {
    return value(*app_.get_subcommands().at(0), flag);
  }

 private:
  static void add_option(CLI::App& app, const std::string& flag, std::string_view placeholder,
                         const std::string& description) {
    app.add_option(flag)
        ->description(description)
        ->type_name(std::string(placeholder))
        ->type_size(1)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }

  CLI::App& add_command(const std::string& name, const std::string& description,
                        const std::string& footer) {
    CLI::App& command = *app_.add_subcommand(name, description);
    command.footer(footer + "\n\n" + kSettingsHint);
    return command;
  }

  void define_commands() {
    add_command("serve", "Decide orders and add items until SIGTERM or SIGINT",
                "Brings the database's schema up to date first.\n\n"
                "Example:\n  inventory-service serve --database-url sqlite:inventory.db\n\n"
                "Exit codes: 0 stopped when asked to; 1 failed; 2 wrong command line or setting.");
    add_command("migrate", "Bring the database's schema up to date",
                "Example:\n  inventory-service migrate --database-url sqlite:inventory.db\n\n"
                "Exit codes: 0 up to date; 1 failed; 2 wrong command line or setting.");

    CLI::App& add = add_command(
        "add", "Ask for an item to be added, and print the reply",
        "Example:\n  inventory-service add --quantity 10 --description \"Blue T-shirt, size M\"\n\n"
        "Exit codes: 0 added; 1 rejected; 2 no answer in time, wrong command line or setting.");
    add_option(add, "--quantity", "N",
               fmt::format("stock of the item, from 0 to {}; required", kIntegerMax));
    add_option(add, "--description", "TEXT",
               fmt::format("of the item, at most {} bytes", kDescriptionBytesMax));
    add_option(add, "--timeout", "SECONDS", "wait so long for the reply (default 10)");

    CLI::App& order = add_command(
        "order", "Place an order, and print the reply",
        "Examples:\n  inventory-service order --product-id 1 --quantity 2\n"
        "  inventory-service order --product-id 1 --quantity 2 --order-id 123\n\n"
        "Exit codes: 0 accepted; 1 rejected; 2 no answer in time, wrong command line or setting.");
    add_option(order, "--product-id", "N", fmt::format("from 1 to {}; required", kIntegerMax));
    add_option(order, "--quantity", "N", fmt::format("from 1 to {}; required", kIntegerMax));
    add_option(
        order, "--order-id", "ID",
        fmt::format("sent as an integer if it is one (123), otherwise as a string of at most "
                    "{} bytes;\nthe same id is the same order; a new UUID if not given",
                    kOrderIdBytesMax));
    add_option(order, "--timeout", "SECONDS", "wait so long for the reply (default 10)");
  }

  static std::optional<std::string> value(const CLI::App& app, const std::string& flag) {
    const auto values = app.get_option(flag)->results();
    if (values.empty()) return std::nullopt;
    return values[0];
  }

  // What CLI11 let pass: arguments that nothing takes, and options given twice.
  std::optional<std::string> check_arguments() const {
    if (const auto extras = app_.remaining(true); !extras.empty()) return describe_extra(extras[0]);
    std::vector<const CLI::App*> apps{&app_};
    for (const CLI::App* chosen : app_.get_subcommands()) apps.push_back(chosen);
    for (const CLI::App* app : apps) {
      for (const CLI::Option* option : app->get_options()) {
        if (option->get_type_size() == 1 && option->results().size() > 1) {
          return fmt::format("{} is given twice", option->get_name());
        }
      }
    }
    return std::nullopt;
  }

  // Repeats no more of the argument than a name: the rest may be a URL with a password.
  std::optional<std::string> describe_extra(std::string_view argument) const {
    static constexpr std::string_view kNameCharacters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    static constexpr std::size_t kNameBytesMax = 40;
    const std::string_view name = argument.substr(0, argument.find('='));
    const bool is_name = !name.empty() && name.size() <= kNameBytesMax &&
                         name.find_first_not_of(kNameCharacters) == std::string_view::npos;
    if (is_name && name.starts_with('-')) {
      return fmt::format("no option is called {}; see {} --help", name, kProgram);
    }
    if (is_name && !command()) {
      return fmt::format("no command is called {}; see {} --help", name, kProgram);
    }
    return fmt::format("an argument that no option takes{}{}; see {} --help", is_name ? ": " : "",
                       is_name ? name : "", kProgram);
  }

  CLI::App app_{"Decides orders against the stock of an inventory, over RabbitMQ."};
};

// CLI11 takes "--name=" for "--name" without its value.
std::vector<std::string> split_empty_values(int argc, const char* const* argv) {
  std::vector<std::string> arguments;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    const bool empty_value =
        argument.starts_with("--") && argument.find('=') + 1 == argument.size();
    if (empty_value) argument.pop_back();
    arguments.push_back(std::move(argument));
    if (empty_value) arguments.emplace_back();
  }
  return arguments;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::expected<std::int64_t, std::string> read_integer(const std::string& flag,
                                                      const std::optional<std::string>& text,
                                                      std::int64_t min, std::int64_t max) {
  if (!text) return Wrong(fmt::format("{} is missing", flag));
  const auto number = parse_integer(*text);
  if (!number || *number < min || *number > max) {
    return Wrong(fmt::format("{} takes a whole number from {} to {}; not {}", flag, min, max,
                             quoted_for_message(*text)));
  }
  return *number;
}

std::expected<std::chrono::seconds, std::string> read_timeout(const CommandLine& line) {
  const auto seconds =
      read_integer("--timeout", line.option("--timeout").value_or("10"), 1, kTimeoutMaxSeconds);
  if (!seconds) return Wrong(seconds.error());
  return std::chrono::seconds(*seconds);
}

std::expected<Command, std::string> read_add(const CommandLine& line) {
  const auto quantity = read_integer("--quantity", line.option("--quantity"), 0, kIntegerMax);
  if (!quantity) return Wrong(quantity.error());
  auto description = line.option("--description");
  if (description && (description->size() > kDescriptionBytesMax || !ops::is_utf8(*description))) {
    return Wrong(
        fmt::format("--description takes at most {} bytes of UTF-8", kDescriptionBytesMax));
  }
  const auto timeout = read_timeout(line);
  if (!timeout) return Wrong(timeout.error());
  return AddCommand{*quantity, std::move(description), *timeout};
}

std::expected<Command, std::string> read_order(const CommandLine& line) {
  const auto product = read_integer("--product-id", line.option("--product-id"), 1, kIntegerMax);
  if (!product) return Wrong(product.error());
  const auto quantity = read_integer("--quantity", line.option("--quantity"), 1, kIntegerMax);
  if (!quantity) return Wrong(quantity.error());
  const auto text = line.option("--order-id");
  auto id = parse_order_id(text ? *text : to_string(boost::uuids::random_generator()()));
  if (!id) {
    return Wrong(fmt::format("--order-id takes an integer, or 1 to {} bytes of UTF-8; not {}",
                             kOrderIdBytesMax, quoted_for_message(*text)));
  }
  const auto timeout = read_timeout(line);
  if (!timeout) return Wrong(timeout.error());
  return OrderCommand{*std::move(id), *product, *quantity, *timeout};
}

std::expected<Command, std::string> read_command(const CommandLine& line, std::string_view name) {
  if (name == "serve") return ServeCommand{};
  if (name == "migrate") return MigrateCommand{};
  return name == "add" ? read_add(line) : read_order(line);
}

std::expected<LoadedConfiguration, std::string> load(const CommandLine& line,
                                                     const EnvironmentLookup& environment) {
  std::optional<SettingsFile> file;
  const auto flag_path = line.setting("--config");
  const auto path = flag_path ? flag_path : environment("INVENTORY_CONFIG");
  if (flag_path || (path && !path->empty())) {
    auto read =
        read_settings_file(*path, flag_path ? "flag --config" : "environment INVENTORY_CONFIG");
    if (!read) return Wrong(std::move(read.error()));
    file = *std::move(read);
  }
  FlagValues flags;
  for (const Setting& setting : settings()) {
    if (auto value = line.setting(fmt::format("--{}", setting.name))) {
      flags.emplace(setting.name, *std::move(value));
    }
  }
  auto loaded = load_configuration(flags, environment, file);
  if (!loaded) return loaded;
  if (auto files = check_files(loaded->in_force); !files) return Wrong(std::move(files.error()));
  return loaded;
}

}  // namespace

std::expected<Invocation, Exit> parse_command_line(int argc, const char* const* argv,
                                                   const EnvironmentLookup& environment) {
  CommandLine line;
  if (auto exit = line.parse(split_empty_values(argc, argv))) {
    return std::unexpected(*std::move(exit));
  }
  const auto name = line.command();
  if (!name && !line.print_config()) return std::unexpected(Exit{kExitUsage, line.help()});

  auto loaded = load(line, environment);
  if (!loaded) return std::unexpected(usage_error(loaded.error()));
  if (line.print_config()) {
    return std::unexpected(Exit{0, print_configuration(loaded->in_force)});
  }
  auto command = read_command(line, *name);
  if (!command) return std::unexpected(usage_error(fmt::format("{}: {}", *name, command.error())));
  return Invocation{std::move(loaded->configuration), *std::move(command)};
}

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

std::optional<domain::OrderId> parse_order_id(std::string_view text) {
  if (const auto number = parse_integer(text); number && *number >= -kIntegerMax &&
                                               *number <= kIntegerMax &&
                                               std::to_string(*number) == text) {
    return domain::OrderId(*number);
  }
  if (text.empty() || text.size() > kOrderIdBytesMax || !ops::is_utf8(text)) return std::nullopt;
  return domain::OrderId(std::string(text));
}

}  // namespace inventory::app
