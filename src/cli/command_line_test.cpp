#include "cli/command_line.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/settings.h"

namespace inventory::cli {
namespace {

using domain::OrderId;
using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using Variables = std::map<std::string, std::string>;

std::expected<Invocation, Exit> parse(const std::vector<std::string>& arguments,
                                      const Variables& variables = {}) {
  std::vector<const char*> argv{"inventory-service"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  return parse_command_line(static_cast<int>(argv.size()), argv.data(),
                            [&](const std::string& name) -> std::optional<std::string> {
                              const auto found = variables.find(name);
                              if (found == variables.end()) return std::nullopt;
                              return found->second;
                            });
}

template <class Command>
Command command_of(const std::vector<std::string>& arguments) {
  const auto invocation = parse(arguments);
  if (!invocation) throw std::runtime_error(invocation.error().text);
  return std::get<Command>(invocation->command);
}

// The one line that says what is wrong, without the program's name.
std::string error_of(const std::vector<std::string>& arguments, const Variables& variables = {}) {
  const auto invocation = parse(arguments, variables);
  if (invocation) return "no error";
  const auto& [code, text] = invocation.error();
  EXPECT_EQ(code, 2) << text;
  EXPECT_THAT(text, MatchesRegex("inventory-service: [^\n]+\n"));
  return text.substr(19, text.size() - 20);
}

std::string output_of(const std::vector<std::string>& arguments, const Variables& variables = {}) {
  const auto invocation = parse(arguments, variables);
  if (invocation) return "no output";
  EXPECT_EQ(invocation.error().code, 0);
  return invocation.error().text;
}

TEST(CommandLine, KnowsItsCommands) {
  EXPECT_NO_THROW(command_of<ServeCommand>({"serve"}));
  EXPECT_FALSE(command_of<MigrateCommand>({"migrate"}).dry_run);
  EXPECT_TRUE(command_of<MigrateCommand>({"migrate", "--dry-run"}).dry_run);
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

TEST(AddCommand, HasAQuantityAndPerhapsADescription) {
  const auto plain = command_of<AddCommand>({"add", "--quantity", "0"});
  EXPECT_EQ(plain.quantity, 0);
  EXPECT_EQ(plain.description, std::nullopt);
  EXPECT_EQ(plain.timeout, std::chrono::seconds(10));
  const auto full = command_of<AddCommand>(
      {"add", "--quantity", "9007199254740991", "--description", "-5% off, [a,b]", "--timeout=3"});
  EXPECT_EQ(full.quantity, 9007199254740991);
  EXPECT_EQ(full.description, "-5% off, [a,b]");
  EXPECT_EQ(full.timeout, std::chrono::seconds(3));
}

TEST(AddCommand, TellsAnEmptyDescriptionFromNone) {
  EXPECT_EQ(command_of<AddCommand>({"add", "--description", "", "--quantity", "1"}).description,
            "");
  EXPECT_EQ(command_of<AddCommand>({"add", "--description=", "--quantity", "1"}).description, "");
}

TEST(AddCommand, SaysWhatItsOptionsTake) {
  EXPECT_EQ(error_of({"add"}), "add: --quantity is missing");
  EXPECT_EQ(error_of({"add", "--quantity", "-1"}),
            "add: --quantity takes a whole number from 0 to 9007199254740991; not \"-1\"");
  EXPECT_THAT(error_of({"add", "--quantity", "9007199254740992"}), HasSubstr("takes a whole"));
  EXPECT_THAT(error_of({"add", "--quantity", "2.0"}), HasSubstr("takes a whole"));
  EXPECT_THAT(error_of({"add", "--quantity", "1", "--timeout", "0"}),
              HasSubstr("--timeout takes a whole number from 1 to 3600; not \"0\""));
  EXPECT_EQ(error_of({"add", "--quantity", "1", "--description", std::string(10'001, 'x')}),
            "add: --description takes at most 10000 bytes of UTF-8");
  EXPECT_EQ(error_of({"add", "--quantity", "1", "--description", "\xFF"}),
            "add: --description takes at most 10000 bytes of UTF-8");
}

TEST(OrderCommand, HasAProductAQuantityAndAnId) {
  const auto order = command_of<OrderCommand>(
      {"order", "--product-id", "1", "--quantity", "2", "--order-id", "123", "--timeout", "1"});
  EXPECT_EQ(order.product_id, 1);
  EXPECT_EQ(order.quantity, 2);
  EXPECT_EQ(order.order_id, OrderId(123));
  EXPECT_EQ(order.timeout, std::chrono::seconds(1));
}

TEST(OrderCommand, TakesANegativeIdInEitherSpelling) {
  for (const std::vector<std::string>& id :
       {std::vector<std::string>{"--order-id", "-7"}, {"--order-id=-7"}}) {
    std::vector<std::string> arguments{"order", "--product-id", "1", "--quantity", "2"};
    arguments.insert(arguments.end(), id.begin(), id.end());
    EXPECT_EQ(command_of<OrderCommand>(arguments).order_id, OrderId(-7));
  }
}

TEST(OrderCommand, GetsANewUuidWhereNoIdIsGiven) {
  const std::vector<std::string> arguments{"order", "--product-id", "1", "--quantity", "2"};
  const auto one = command_of<OrderCommand>(arguments).order_id;
  const auto two = command_of<OrderCommand>(arguments).order_id;
  EXPECT_THAT(std::get<std::string>(one.value()),
              MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"));
  EXPECT_NE(one, two);
}

TEST(OrderCommand, SaysWhatItsOptionsTake) {
  EXPECT_EQ(error_of({"order", "--quantity", "1"}), "order: --product-id is missing");
  EXPECT_EQ(error_of({"order", "--product-id", "1"}), "order: --quantity is missing");
  EXPECT_THAT(error_of({"order", "--product-id", "0", "--quantity", "1"}),
              HasSubstr("--product-id takes a whole number from 1 to"));
  EXPECT_THAT(error_of({"order", "--product-id", "1", "--quantity", "0"}),
              HasSubstr("--quantity takes a whole number from 1 to"));
  EXPECT_EQ(error_of({"order", "--product-id", "1", "--quantity", "1", "--order-id", ""}),
            "order: --order-id takes an integer, or 1 to 128 bytes of UTF-8; not \"\"");
}

TEST(OrderId, IsAnIntegerWhereItIsSpelledAsJsonWouldSpellOne) {
  EXPECT_EQ(parse_order_id("0"), OrderId(0));
  EXPECT_EQ(parse_order_id("9007199254740991"), OrderId(9007199254740991));
  EXPECT_EQ(parse_order_id("-9007199254740991"), OrderId(-9007199254740991));
}

TEST(OrderId, IsAStringOtherwise) {
  for (const char* text : {"9007199254740992", "-9007199254740992", "-9223372036854775808", "007",
                           "-0", "+5", "1.0", " 1", "99999999999999999999", "a-b"}) {
    EXPECT_EQ(parse_order_id(text), OrderId(text));
  }
  EXPECT_EQ(parse_order_id(std::string(128, 'x')), OrderId(std::string(128, 'x')));
}

TEST(OrderId, IsNeitherEmptyNorLongNorBroken) {
  EXPECT_EQ(parse_order_id(""), std::nullopt);
  EXPECT_EQ(parse_order_id(std::string(129, 'x')), std::nullopt);
  EXPECT_EQ(parse_order_id("\xFF"), std::nullopt);
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
  for (const char* command : {"serve", "migrate", "add", "order"}) {
    EXPECT_THAT(help, HasSubstr("\n  " + std::string(command) + " "));
  }
}

TEST(Help, IsThereForEveryCommandWithAnExampleAndExitCodes) {
  for (const char* command : {"serve", "migrate", "add", "order"}) {
    for (const char* flag : {"--help", "-h"}) {
      EXPECT_THAT(
          output_of({command, flag}),
          AllOf(HasSubstr(std::string("inventory-service ") + command), HasSubstr("Example"),
                HasSubstr("Exit codes:"), HasSubstr("see inventory-service --help")));
    }
  }
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
