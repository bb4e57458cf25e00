#include "cli/command_line.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/testing/command_lines.h"
#include "config/settings.h"

namespace inventory::cli {
namespace {

using test::error_of;
using test::output_of;
using test::parse;
using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

TEST(CommandLine, KnowsItsCommands) {
  for (const char* name : {"serve", "migrate", "verify", "stock"}) {
    const auto invocation = parse({name});
    ASSERT_TRUE(invocation) << invocation.error().text;
    EXPECT_TRUE(invocation->run) << name;
  }
}

TEST(CommandLine, TellsACommandToRunWithTheConfigurationThatIsInForce) {
  const std::vector<Command> commands{
      {.name = "take",
       .summary = "Take",
       .description = "",
       .options = {{"--item", "ID:N", "one of them", true}, {"--twice", "", "so often"}},
       .prepare = [](const Arguments& given, const config::Configuration&) -> Prepared {
         return [given = given.repeated("--item")](const config::Configuration& configuration) {
           return static_cast<int>(given.size()) * 100 + configuration.prefetch;
         };
       }}};
  const char* const argv[] = {"inventory-service", "take", "--item",    "1:2",
                              "--prefetch",        "7",    "--item=5:1"};
  const auto nothing = [](const std::string&) -> std::optional<std::string> { return {}; };
  const auto invocation =
      parse_command_line(static_cast<int>(std::size(argv)), argv, commands, nothing);
  ASSERT_TRUE(invocation) << invocation.error().text;
  EXPECT_EQ(invocation->run(invocation->configuration), 207);
}

TEST(CommandLine, TakesASwitchAloneOrWithAValue) {
  for (const auto& [flag, expected] :
       {std::pair("--require-stock", true), std::pair("--require-stock=true", true),
        std::pair("--require-stock=false", false)}) {
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{flag, "serve"}, {"serve", flag}}) {
      const auto invocation = parse(arguments);
      ASSERT_TRUE(invocation) << invocation.error().text;
      EXPECT_EQ(invocation->configuration.require_stock, expected) << flag;
    }
  }
  EXPECT_THAT(error_of({"serve", "--require-stock=maybe"}), HasSubstr("takes true or false"));
  EXPECT_THAT(output_of({"--print-config", "--require-stock"}),
              HasSubstr("require-stock = \"true\"  # flag --require-stock\n"));
}

TEST(CommandLine, TakesSettingsBeforeAndAfterTheCommand) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--prefetch", "7", "serve"},
        {"serve", "--prefetch", "7"},
        {"serve", "--prefetch=7"}}) {
    const auto invocation = parse(arguments);
    ASSERT_TRUE(invocation) << invocation.error().text;
    EXPECT_EQ(invocation->configuration.prefetch, 7);
  }
  const auto order =
      parse({"order", "--product-id", "1", "--log-level", "warn", "--quantity", "2"});
  ASSERT_TRUE(order) << order.error().text;
  EXPECT_EQ(order->configuration.log_level, ops::LogLevel::warn);
}

TEST(CommandLine, TakesSettingsFromTheEnvironmentThatItWasGiven) {
  const auto invocation = parse({"serve"}, {{"INVENTORY_PREFETCH", "9"}});
  ASSERT_TRUE(invocation) << invocation.error().text;
  EXPECT_EQ(invocation->configuration.prefetch, 9);
  EXPECT_EQ(error_of({"serve"}, {{"INVENTORY_PREFETCH", "x"}}),
            "prefetch (environment INVENTORY_PREFETCH) takes a whole number from 1 to 65535; "
            "not \"x\"");
}

TEST(CommandLine, ReadsTheFileThatTheFlagOrElseTheEnvironmentNames) {
  const std::string folder = testing::TempDir() + "command_line_test_" + std::to_string(getpid());
  std::filesystem::create_directory(folder);
  const std::string one = folder + "/one.toml";
  const std::string two = folder + "/two.toml";
  std::ofstream(one) << "prefetch = 1\n";
  std::ofstream(two) << "prefetch = 2\n";
  const auto by_flag = parse({"serve", "--config", one}, {{"INVENTORY_CONFIG", two}});
  const auto by_environment = parse({"serve"}, {{"INVENTORY_CONFIG", two}});
  const auto by_neither = parse({"serve"}, {{"INVENTORY_CONFIG", ""}});
  std::filesystem::remove_all(folder);
  EXPECT_EQ(by_flag.value().configuration.prefetch, 1);
  EXPECT_EQ(by_environment.value().configuration.prefetch, 2);
  EXPECT_EQ(by_neither.value().configuration.prefetch, 2000);
  EXPECT_EQ(error_of({"serve", "--config", "no/file"}),
            "config (flag --config) takes a file that can be read; \"no/file\": No such file or "
            "directory");
  EXPECT_THAT(error_of({"serve", "--config="}), HasSubstr("takes a file that can be read"));
}

TEST(CommandLine, RefusesATlsFileThatCannotBeRead) {
  EXPECT_THAT(error_of({"serve", "--amqp-url", "amqps://h", "--amqp-ca-file", "no/file"}),
              HasSubstr("amqp-ca-file (flag --amqp-ca-file) takes a file that can be read"));
}

TEST(CommandLine, RefusesToServeWithoutTheTokenThatItsPagesShallAskFor) {
  EXPECT_EQ(error_of({"serve", "--http-token-file", "no/file"}),
            "serve: http-token-file takes a file with a line of 1 to 1024 bytes; \"no/file\": No "
            "such file or directory");
  EXPECT_TRUE(parse({"stock", "--http-token-file", "no/file"}));
}

TEST(CommandLine, NamesWhatItDoesNotKnowInOneLine) {
  EXPECT_EQ(error_of({"bogus"}), "no command is called bogus; see inventory-service --help");
  EXPECT_EQ(error_of({"serve", "--bogus", "5"}),
            "no option is called --bogus; see inventory-service --help");
  EXPECT_EQ(error_of({"serve", "-x"}), "no option is called -x; see inventory-service --help");
  EXPECT_EQ(error_of({"order", "--prodcut-id", "5"}),
            "no option is called --prodcut-id; see inventory-service --help");
  EXPECT_EQ(error_of({"serve", "extra"}),
            "an argument that no option takes: extra; see inventory-service --help");
  EXPECT_THAT(error_of({"serve", "migrate"}), HasSubstr("an argument that no option takes"));
  EXPECT_THAT(error_of({"serve", "--", "extra"}), HasSubstr("see inventory-service --help"));
  EXPECT_THAT(error_of({"serve", ""}), HasSubstr("an argument that no option takes"));
}

TEST(CommandLine, NeverRepeatsAnArgumentThatMayHoldACredential) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"serve", "amqp://u:hunter2@h"},
        {"amqp://u:hunter2@h"},
        {"serve", "--amqp-ulr=amqp://u:hunter2@h"},
        {"serve", "--amqp-ulr", "amqp://u:hunter2@h"},
        {"serve", "--amqp://u:hunter2@h"},
        {"serve", "-amqp://u:hunter2@h"},
        {"serve", "--amqp-url", "amqp://a", "amqp://u:hunter2@h"},
        {"serve", "--amqp-url", "amqp://u:hunter2@h:x/"},
        {"serve", "--amqp-url=u:hunter2@h", "--amqp-url=u:hunter2@h"},
        {"serve", "--print-config=amqp://u:hunter2@h"},
        {"serve", "--help=hunter2"},
        {"serve", "--version=hunter2"}}) {
    const auto invocation = parse(arguments);
    ASSERT_FALSE(invocation) << arguments.back();
    EXPECT_THAT(invocation.error().text, Not(HasSubstr("hunter2")));
  }
}

TEST(CommandLine, RefusesAnOptionWithoutItsValueAndOneGivenTwice) {
  EXPECT_EQ(error_of({"serve", "--prefetch"}), "--prefetch takes a value");
  EXPECT_EQ(error_of({"serve", "--print-config=x"}), "--print-config takes no value");
  EXPECT_EQ(error_of({"add", "--quantity"}), "--quantity takes a value");
  EXPECT_EQ(error_of({"serve", "--prefetch=", "5"}),
            "an argument that no option takes: 5; see inventory-service --help");
  EXPECT_EQ(error_of({"--prefetch", "1", "serve", "--prefetch", "2"}), "--prefetch is given twice");
  EXPECT_EQ(error_of({"add", "--quantity", "1", "--quantity", "1"}), "--quantity is given twice");
}

TEST(CommandLine, HelpsOnStandardErrorWhereNoCommandIsGiven) {
  const auto invocation = parse({});
  ASSERT_FALSE(invocation);
  EXPECT_EQ(invocation.error().code, 2);
  EXPECT_THAT(invocation.error().text, HasSubstr("Usage: inventory-service"));
  EXPECT_EQ(parse({"--prefetch", "7"}).error().code, 2);
}

TEST(Help, NamesEverySettingWithItsVariableAndDefault) {
  const std::string help = output_of({"--help"});
  for (const config::Setting& setting : config::settings()) {
    EXPECT_THAT(help, AllOf(HasSubstr("--" + std::string(setting.name) + " "),
                            HasSubstr("(" + std::string(setting.environment)),
                            HasSubstr(std::string(setting.default_text)),
                            HasSubstr(std::string(setting.takes))));
  }
  EXPECT_THAT(help, AllOf(HasSubstr("INVENTORY_CONFIG"), HasSubstr("RABBITMQ_HOST"),
                          HasSubstr("Examples:"), HasSubstr("Exit codes:")));
  for (const Command& command : commands()) {
    EXPECT_THAT(help, HasSubstr("\n  " + command.name + " "));
    EXPECT_THAT(help, HasSubstr(command.summary.substr(0, 20)));
  }
}

void expect_help_of(const Command& command, std::vector<std::string> names) {
  names.push_back(command.name);
  for (const char* flag : {"--help", "-h"}) {
    std::vector<std::string> arguments = names;
    arguments.emplace_back(flag);
    const std::string help = output_of(arguments);
    EXPECT_THAT(help, AllOf(HasSubstr(fmt::format("inventory-service {}", fmt::join(names, " "))),
                            HasSubstr("see inventory-service --help")));
    EXPECT_THAT(help, HasSubstr(command.actions.empty() ? "Exit codes:" : "Example"));
    for (const Option& option : command.options) EXPECT_THAT(help, HasSubstr(option.name));
  }
  for (const Command& action : command.actions) expect_help_of(action, names);
}

TEST(Help, IsThereForEveryCommandWithItsOptionsAndExitCodes) {
  for (const Command& command : commands()) expect_help_of(command, {});
}

TEST(Help, ComesBeforeAnyComplaint) {
  EXPECT_THAT(output_of({"order", "--help"}, {{"INVENTORY_PREFETCH", "x"}}),
              HasSubstr("--product-id"));
}

TEST(Version, IsOneLine) {
  EXPECT_THAT(output_of({"--version"}),
              MatchesRegex("inventory-service [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(PrintConfig, NeedsNoCommandAndTakesAny) {
  EXPECT_THAT(output_of({"--print-config"}, {{"AMQP_URL", "amqp://u:hunter2@h"}}),
              AllOf(HasSubstr("amqp-url = \"amqp://u:***@h\"  # environment AMQP_URL\n"),
                    HasSubstr("prefetch = 2000  # default\n"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(output_of({"serve", "--prefetch", "7", "--print-config"}),
              HasSubstr("prefetch = 7  # flag --prefetch\n"));
  EXPECT_THAT(error_of({"--print-config", "--prefetch", "0"}), HasSubstr("prefetch (flag"));
}

TEST(ProcessEnvironment, IsThatOfTheProcess) {
  setenv("INVENTORY_TEST_VARIABLE", "x", 1);
  EXPECT_EQ(process_environment("INVENTORY_TEST_VARIABLE"), "x");
  unsetenv("INVENTORY_TEST_VARIABLE");
  EXPECT_EQ(process_environment("INVENTORY_TEST_VARIABLE"), std::nullopt);
}

}  // namespace
}  // namespace inventory::cli
