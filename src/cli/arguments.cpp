#include "cli/arguments.h"

#include <algorithm>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "config/settings.h"

namespace inventory::cli {
namespace {

constexpr std::string_view kProgram = "inventory-service";

constexpr const char* kFooter =
    R"(Sources of a setting, the first that has it: flag, environment, file, default. An empty
variable counts as not set. AMQP_URL_FILE and DATABASE_URL_FILE name files that hold the URLs,
with their passwords. A settings file holds lines such as
  prefetch = 2000
  order-queue = "orders"

Examples:
  inventory-service serve
  inventory-service serve --amqp-url amqp://user:password@broker/ --queue-type quorum
  inventory-service migrate --database-url postgresql://user:password@host/inventory
  inventory-service add --quantity 10 --description "Blue T-shirt, size M"
  inventory-service order --product-id 1 --quantity 2
  inventory-service import items.csv
  inventory-service dead-letters list
  inventory-service --print-config

Exit codes: 0 done; 1 done, and the answer is no (rejected, or something is left); 2 wrong command
line or setting; 3 could not be done (no broker, no database, no answer).)";

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

void add_option(CLI::App& app, const std::string& flag, std::string_view placeholder,
                const std::string& description) {
  app.add_option(flag)
      ->description(description)
      ->type_name(std::string(placeholder))
      ->type_size(1)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

std::optional<std::string> value(const CLI::App& app, const std::string& flag) {
  const auto values = app.get_option(flag)->results();
  if (values.empty()) return std::nullopt;
  return values[0];
}

}  // namespace

Exit usage_error(std::string_view line) {
  return {kExitUsage, fmt::format("{}: {}\n", kProgram, line)};
}

Arguments::Arguments()
    : app_("Decides orders against the stock of an inventory, over RabbitMQ.",
           std::string(kProgram)) {
  app_.set_version_flag("--version", fmt::format("{} {}", kProgram, INVENTORY_VERSION),
                        "print the version");
  app_.set_help_flag("-h,--help", "print this help");
  app_.get_formatter()->column_width(34);
  app_.allow_extras();  // unexpected arguments are ours to report: they may hold credentials
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
  define_commands();
}

CLI::App& Arguments::add_command(CLI::App& parent, const std::string& name,
                                 const std::string& description, const std::string& footer) {
  CLI::App& command = *parent.add_subcommand(name, description);
  command.footer(footer + "\n\n" + kSettingsHint);
  return command;
}

void Arguments::define_commands() {
  add_command(app_, "serve", "Decide orders and add items until SIGTERM or SIGINT",
              "Brings the database's schema up to date first.\n\n"
              "Example:\n  inventory-service serve --database-url sqlite:inventory.db\n\n"
              "Exit codes: 0 stopped when asked to; 1 stopped at once, by a second signal;\n"
              "2 wrong command line or setting; 3 failed.");
  CLI::App& migrate = add_command(
      app_, "migrate", "Bring the database's schema up to date",
      "Looks first: what keeps a table of another program from being adopted is said, a line each, "
      "and\nthen nothing is changed.\n\n"
      "Examples:\n  inventory-service migrate --database-url sqlite:inventory.db\n"
      "  inventory-service migrate --dry-run\n\n"
      "Exit codes: 0 up to date, or would be; 1 of --dry-run: something is in the way; 2 wrong "
      "command\nline or setting; 3 failed.");
  migrate.add_flag("--dry-run")->description("print what it would do, and do nothing");

  add_command(app_, "verify", "Compare ledger and stock of every product",
              "Changes nothing, and may run beside a service or against a standby.\n\n"
              "Example:\n  inventory-service verify --database-url sqlite:inventory.db\n\n"
              "Exit codes: 0 all agree; 1 some disagree, one line each; 2 wrong command line or "
              "setting;\n3 could not be done.");

  CLI::App& add = add_command(
      app_, "add", "Ask for an item to be added, and print the reply",
      "Example:\n  inventory-service add --quantity 10 --description \"Blue T-shirt, size M\"\n\n"
      "Exit codes: 0 added; 1 rejected; 2 wrong command line or setting; 3 no answer in time.");
  add_option(add, "--quantity", "N",
             fmt::format("stock of the item, from 0 to {}; required", kIntegerMax));
  add_option(add, "--description", "TEXT",
             fmt::format("of the item, at most {} bytes", kDescriptionBytesMax));
  add_option(add, "--timeout", "SECONDS", "wait so long for the reply (default 10)");

  CLI::App& order = add_command(
      app_, "order", "Place an order, and print the reply",
      "Examples:\n  inventory-service order --product-id 1 --quantity 2\n"
      "  inventory-service order --product-id 1 --quantity 2 --order-id 123\n\n"
      "Exit codes: 0 accepted; 1 rejected; 2 wrong command line or setting; 3 no answer in time.");
  add_option(order, "--product-id", "N", fmt::format("from 1 to {}; required", kIntegerMax));
  add_option(order, "--quantity", "N", fmt::format("from 1 to {}; required", kIntegerMax));
  add_option(order, "--order-id", "ID",
             fmt::format("sent as an integer if it is one (123), otherwise as a string of at most "
                         "{} bytes;\nthe same id is the same order; a new UUID if not given",
                         kOrderIdBytesMax));
  add_option(order, "--timeout", "SECONDS", "wait so long for the reply (default 10)");
  define_import();
  define_stock();
  define_dead_letters();
}

void Arguments::define_import() {
  CLI::App& import = add_command(
      app_, "import", "Add the items of a CSV file, one request a row",
      "The first line is quantity,description; quotes as RFC 4180 has them; an empty description "
      "is "
      "none.\nNothing is sent if a row is bad. May be interrupted, and run again: each row has an "
      "identity made\nof the file's name, its quantity and its description, and adds its item "
      "once.\n\n"
      "Examples:\n  inventory-service import items.csv\n"
      "  inventory-service import - --name \"delivery 17\" < items.csv\n\n"
      "Exit codes: 0 all rows are there; 1 rows are bad, skipped or rejected; 2 wrong command line "
      "or\nsetting; 3 failed: run it again.");
  add_option(import, "file", "FILE", "the file; - is standard input");
  add_option(import, "--name", "NAME",
             "take this for the file's name (default: its name without folders)");
  import.add_flag("--skip-bad")->description("send the good rows where some are bad");
  import.add_flag("--dry-run")->description("check the file, and send nothing");
  add_option(import, "--timeout", "SECONDS", "wait so long for the next reply (default 10)");
}

void Arguments::define_stock() {
  CLI::App& stock = add_command(
      app_, "stock", "Print the items and what is left of them",
      "As the database has them now; changes nothing, and may run beside a service or against a "
      "standby.\n\n"
      "Examples:\n  inventory-service stock --product-id 1\n"
      "  inventory-service stock --json --after 100 --limit 50\n\n"
      "Exit codes: 0 printed; 1 there is no such product; 2 wrong command line or setting; 3 "
      "failed.");
  add_option(stock, "--product-id", "N", "only this one");
  add_option(stock, "--after", "N", "only those with a higher id");
  add_option(stock, "--limit", "N", "at most so many");
  stock.add_flag("--json")->description("a JSON object each, in a line");
}

void Arguments::define_dead_letters() {
  CLI::App& group = add_command(
      app_, "dead-letters", "Look into the dead-letter queues, and repair by hand",
      "Examples:\n  inventory-service dead-letters list --reason invalid --newer-than 2h\n"
      "  inventory-service dead-letters show --queue order_validate --position 3\n"
      "  inventory-service dead-letters replay --text coupon --dry-run\n"
      "  inventory-service dead-letters purge --older-than 30d");
  CLI::App& list = add_command(group, "list", "Print what is there: a line each",
                               "Exit codes: 0 done; 2 wrong command line or setting; 3 failed.");
  CLI::App& show = add_command(group, "show", "Print one letter whole: properties, headers, body",
                               "The first that matches.\n\nExit codes: 0 shown; 1 there is none; "
                               "2 wrong command line or setting; 3 failed.");
  CLI::App& replay =
      add_command(group, "replay", "Send requests to their queue again",
                  "A letter is removed when the broker has confirmed its copy. May be interrupted "
                  "at any point:\n"
                  "nothing is lost, and what is sent twice is decided once.\n\n"
                  "Exit codes: 0 all that match were replayed; 1 some were left, which is said;\n"
                  "2 wrong command line or setting; 3 failed.");
  CLI::App& purge = add_command(group, "purge", "Remove letters for good",
                                "Asks first.\n\nExit codes: 0 all that match were removed; 1 the "
                                "answer was no;\n2 wrong command line or setting; 3 failed.");
  for (CLI::App* command : {&list, &show, &replay, &purge}) {
    add_option(*command, "--queue", "QUEUE",
               "the request queue whose dead letters are meant (default both); or one of "
               "replies that were kept, such as order_validate.undelivered");
    add_option(
        *command, "--reason", "REASON",
        "only those for this reason: invalid, too-large, refused, undelivered; or, where the "
        "broker has done it, "
        "delivery-limit, expired, maxlen, rejected");
    add_option(*command, "--older-than", "AGE",
               "only those that failed so long ago: 90s, 5m, 2h, 7d");
    add_option(*command, "--newer-than", "AGE", "only those that failed since");
    add_option(*command, "--text", "TEXT", "only those with this text in body or error-message");
    add_option(*command, "--id", "ID", "only those with this message_id or correlation_id");
  }
  for (CLI::App* command : {&list, &replay, &purge}) {
    add_option(*command, "--limit", "N", "at most so many of a queue");
  }
  add_option(show, "--position", "N", "the one at this position; needs --queue");
  for (CLI::App* command : {&list, &show}) {
    command->add_flag("--json")->description("a JSON object each, in a line, with all it holds");
  }
  for (CLI::App* command : {&replay, &purge}) {
    command->add_flag("--dry-run")->description("print what it would do, and do nothing");
  }
  add_option(replay, "--to", "QUEUE", "to this queue instead of the original one");
  purge.add_flag("--yes")->description("do not ask; needed where there is no terminal");
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
  std::ranges::reverse(reversed);  // CLI11 takes a vector from its end
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

std::vector<const CLI::App*> Arguments::all_commands() const {
  return app_.get_subcommands([](const CLI::App*) { return true; });
}

bool Arguments::print_config() const { return app_.count("--print-config") > 0; }

std::string Arguments::command() const {
  std::string names;
  for (const CLI::App* app : chosen()) {
    if (app != &app_) names += (names.empty() ? "" : " ") + app->get_name();
  }
  return names;
}

std::optional<std::string> Arguments::setting(const std::string& flag) const {
  return value(app_, flag);
}

std::optional<std::string> Arguments::option(const std::string& flag) const {
  return value(*chosen().back(), flag);
}

bool Arguments::flag(const std::string& flag) const { return chosen().back()->count(flag) > 0; }

// What CLI11 let pass: arguments that nothing takes, and options given twice.
std::optional<std::string> Arguments::check_arguments() const {
  if (const auto extras = app_.remaining(true); !extras.empty()) return describe_extra(extras[0]);
  for (const CLI::App* app : chosen()) {
    for (const CLI::Option* option : app->get_options()) {
      if (option->get_type_size() == 1 && option->results().size() > 1) {
        return fmt::format("{} is given twice", option->get_name());
      }
    }
  }
  return std::nullopt;
}

// Repeats no more of the argument than a name: the rest may be a URL with a password.
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
  if (is_name && command().empty()) {
    return fmt::format("no command is called {}; see {} --help", name, kProgram);
  }
  return fmt::format("an argument that no option takes{}{}; see {} --help", is_name ? ": " : "",
                     is_name ? name : "", kProgram);
}

}  // namespace inventory::cli
