#include "cli/arguments.h"

#include <algorithm>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/exit_status.h"
#include "config/settings.h"

namespace inventory::cli {
namespace {

constexpr std::string_view kProgram = "inventory-service";

constexpr const char* kFooter =
    R"(A setting is taken from the first of these that has it: flag, environment variable, settings
file, default. An empty variable counts as not set. AMQP_URL_FILE, DATABASE_URL_FILE and
READ_DATABASE_URL_FILE name files that contain the URLs with their passwords. A settings file has
lines such as
  prefetch = 2000
  order-queue = "orders"

Examples:
  inventory-service serve
  inventory-service serve --amqp-url amqp://user:password@broker/ --queue-type quorum
  inventory-service migrate --database-url postgresql://user:password@host/inventory
  inventory-service add --quantity 10 --description "Blue T-shirt, size M"
  inventory-service order --product-id 1 --quantity 2
  inventory-service confirm --order-id 123 --product-id 1
  inventory-service cancel --order-id 123 --product-id 1
  inventory-service adjust --product-id 1 --change +5 --reason "delivery 17"
  inventory-service import items.csv
  inventory-service dead-letters list
  inventory-service --print-config

Exit codes: 0 done; 1 done, but the answer is no (a request was rejected, or something is left or
disagrees); 2 wrong command line or setting;
3 could not be done (no broker, no database, no answer).)";

constexpr const char* kSettingsHint =
    "Settings, such as --amqp-url or --config: see inventory-service --help.";

// CLI11 takes "--name=" for "--name" without its value.
std::vector<std::string> split_empty_values(const std::vector<std::string>& given) {
  std::vector<std::string> arguments;
  for (std::string argument : given) {
    const bool empty_value =
        argument.starts_with("--") && argument.find('=') + 1 == argument.size();
    if (empty_value) argument.pop_back();
    arguments.push_back(std::move(argument));
    if (empty_value) arguments.emplace_back();
  }
  return arguments;
}

void add_option(CLI::App& app, const std::string& name, std::string_view placeholder,
                const std::string& help) {
  app.add_option(name)
      ->description(help)
      ->type_name(std::string(placeholder))
      ->type_size(1)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void add_command(CLI::App& parent, const Command& command) {
  CLI::App& app = *parent.add_subcommand(command.name, command.summary);
  app.footer(command.description + "\n\n" + kSettingsHint);
  for (const Option& option : command.options) {
    if (option.placeholder.empty()) {
      app.add_flag(option.name)->description(option.help);
    } else {
      add_option(app, option.name, option.placeholder, option.help);
    }
  }
  for (const Command& action : command.actions) add_command(app, action);
}

const Command* find(const std::vector<Command>& commands, const std::string& name) {
  const auto found = std::ranges::find(commands, name, &Command::name);
  return found == commands.end() ? nullptr : &*found;
}

}  // namespace

Exit usage_error(std::string_view line) {
  return {kExitUsage, fmt::format("{}: {}\n", kProgram, line)};
}

Arguments::Arguments(std::vector<Command> commands)
    : commands_(std::move(commands)),
      app_("Decides orders against the stock of an inventory, over RabbitMQ.",
           std::string(kProgram)) {
  app_.set_version_flag("--version", fmt::format("{} {}", kProgram, INVENTORY_VERSION),
                        "print the version");
  app_.set_help_flag("-h,--help", "print this help");
  app_.get_formatter()->column_width(34);
  app_.allow_extras();  // CLI11 must not report unexpected arguments: they may be credentials
  app_.fallthrough();   // settings may follow a command
  app_.require_subcommand(0, 1);
  app_.footer(kFooter);
  app_.add_flag("--print-config")->description("print the settings in force, passwords masked");
  add_option(app_, "--config", "FILE", "settings file, TOML\n(INVENTORY_CONFIG)");
  for (const config::Setting& setting : config::settings()) {
    const auto flag = fmt::format("--{}", setting.name);
    const auto description = fmt::format(
        "{}\ntakes {}\n({}{}{})", setting.description, setting.takes, setting.environment,
        setting.default_text.empty() ? "" : ", default ", setting.default_text);
    if (setting.is_switch) {
      app_.add_flag(flag)->description(description);
    } else {
      add_option(app_, flag, setting.placeholder, description);
    }
  }
  for (const Command& command : commands_) add_command(app_, command);
}

std::optional<Exit> Arguments::parse(const std::vector<std::string>& arguments) {
  for (const std::string_view flag : {"--help", "--version", "--print-config"}) {
    const auto has_value = [&](std::string_view argument) {
      return argument.starts_with(flag) && argument.substr(flag.size()).starts_with('=');
    };
    if (std::ranges::any_of(arguments, has_value)) {
      return usage_error(fmt::format("{} takes no value", flag));
    }
  }
  std::vector<std::string> reversed = split_empty_values(arguments);
  std::ranges::reverse(reversed);  // CLI11 reads a vector from its end
  try {
    app_.parse(std::move(reversed));
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

std::vector<const CLI::App*> Arguments::chosen() const {
  std::vector<const CLI::App*> apps{&app_};
  while (!apps.back()->get_subcommands().empty()) {
    apps.push_back(apps.back()->get_subcommands().front());
  }
  return apps;
}

std::string Arguments::help() const {
  const auto apps = chosen();
  std::string parents;
  for (std::size_t i = 0; i + 1 < apps.size(); ++i) {
    parents += (parents.empty() ? "" : " ") + apps[i]->get_name();
  }
  return apps.back()->help(parents);
}

bool Arguments::print_config() const { return app_.count("--print-config") > 0; }

const Command* Arguments::command() const {
  const std::vector<Command>* commands = &commands_;
  const Command* command = nullptr;
  for (const CLI::App* app : chosen()) {
    if (app == &app_) continue;
    command = find(*commands, app->get_name());
    commands = &command->actions;
  }
  return command != nullptr && command->prepare != nullptr ? command : nullptr;
}

std::string Arguments::command_name() const {
  std::string names;
  for (const CLI::App* app : chosen()) {
    if (app != &app_) names += (names.empty() ? "" : " ") + app->get_name();
  }
  return names;
}

std::optional<std::string> Arguments::setting(const std::string& flag) const {
  const auto values = app_.get_option(flag)->results();
  return values.empty() ? std::nullopt : std::optional(values[0]);
}

std::optional<std::string> Arguments::option(const std::string& name) const {
  const auto values = repeated(name);
  return values.empty() ? std::nullopt : std::optional(values[0]);
}

std::vector<std::string> Arguments::repeated(const std::string& name) const {
  return chosen().back()->get_option(name)->results();
}

bool Arguments::flag(const std::string& name) const { return chosen().back()->count(name) > 0; }

// Checks what CLI11 accepts: arguments that nothing takes, and options given twice.
std::optional<std::string> Arguments::check_arguments() const {
  if (const auto extras = app_.remaining(true); !extras.empty()) return describe_extra(extras[0]);
  for (const CLI::App* app : chosen()) {
    for (const CLI::Option* option : app->get_options()) {
      if (option->get_type_size() == 1 && option->results().size() > 1 &&
          !may_repeat(option->get_name())) {
        return fmt::format("{} is given twice", option->get_name());
      }
    }
  }
  return std::nullopt;
}

bool Arguments::may_repeat(const std::string& name) const {
  const Command* command = this->command();
  if (command == nullptr) return false;
  const auto option = std::ranges::find(command->options, name, &Option::name);
  return option != command->options.end() && option->repeats;
}

// Repeats only a name from the argument: the rest may be a URL with a password.
std::string Arguments::describe_extra(std::string_view argument) const {
  static constexpr std::string_view kNameCharacters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  static constexpr std::size_t kNameBytesMax = 40;
  const std::string_view name = argument.substr(0, argument.find('='));
  const bool is_name = !name.empty() && name.size() <= kNameBytesMax &&
                       name.find_first_not_of(kNameCharacters) == std::string_view::npos;
  if (is_name && name.starts_with('-')) {
    return fmt::format("no option is called {}; see {} --help", name, kProgram);
  }
  if (is_name && command_name().empty()) {
    return fmt::format("no command is called {}; see {} --help", name, kProgram);
  }
  return fmt::format("an argument that no option takes{}{}; see {} --help", is_name ? ": " : "",
                     is_name ? name : "", kProgram);
}

}  // namespace inventory::cli
