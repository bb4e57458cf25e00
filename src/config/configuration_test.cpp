#include "config/configuration.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/settings.h"
#include "config/settings_file.h"

namespace inventory::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct Sources {
  // NOLINTBEGIN(readability-redundant-member-init): so that a test may name those it needs only
  FlagValues flags{};
  FlagValues variables{};
  // NOLINTEND(readability-redundant-member-init)
  std::optional<std::string> file = std::nullopt;
};

std::expected<LoadedConfiguration, std::string> load(const Sources& sources) {
  std::optional<SettingsFile> file;
  if (sources.file) file = SettingsFile{"settings.toml", *sources.file};
  return load_configuration(
      sources.flags,
      [&](const std::string& name) -> std::optional<std::string> {
        const auto found = sources.variables.find(name);
        if (found == sources.variables.end()) return std::nullopt;
        return found->second;
      },
      file);
}

Configuration configuration_of(const Sources& sources) {
  const auto loaded = load(sources);
  EXPECT_TRUE(loaded) << loaded.error();
  return loaded ? loaded->configuration : Configuration{};
}

std::string error_of(const Sources& sources) {
  const auto loaded = load(sources);
  return loaded ? "no error" : loaded.error();
}

std::string printed(const Sources& sources) {
  const auto loaded = load(sources);
  return loaded ? print_configuration(loaded->in_force) : loaded.error();
}

TEST(Configuration, HasADefaultForEverySetting) {
  const Configuration defaults = configuration_of({});
  EXPECT_EQ(defaults.amqp_endpoint.hosts, (std::vector<amqp::Host>{{"localhost", 5672}}));
  EXPECT_EQ(defaults.amqp_endpoint.vhost, "/");
  EXPECT_EQ(defaults.database, DatabaseUrl(SqlitePath{"inventory.db"}));
  EXPECT_EQ(defaults.order_queue, "order_validate");
  EXPECT_EQ(defaults.item_queue, "inventory_new_item");
  EXPECT_EQ(defaults.order_response_queue, "order_validate_response");
  EXPECT_EQ(defaults.item_response_queue, "inventory_new_item_response");
  EXPECT_EQ(defaults.queue_type, amqp::QueueType::classic);
  EXPECT_EQ(defaults.prefetch, 2000);
  EXPECT_EQ(defaults.batch_max, 500U);
  EXPECT_EQ(defaults.message_bytes_max, 65536U);
  EXPECT_EQ(defaults.shutdown_budget, std::chrono::seconds(20));
  EXPECT_EQ(defaults.http_listen, (ops::HttpAddress{"127.0.0.1", 9464}));
  EXPECT_TRUE(defaults.http_hosts.empty());
  EXPECT_EQ(defaults.log_level, ops::LogLevel::info);
  EXPECT_EQ(defaults.log_format, ops::LogFormat::text);
  EXPECT_EQ(defaults.amqp_tls.ca_file, "");
}

TEST(Configuration, TakesAFlagBeforeTheEnvironmentBeforeTheFile) {
  Sources sources{.flags = {{"prefetch", "1"}},
                  .variables = {{"INVENTORY_PREFETCH", "2"}},
                  .file = "prefetch = 3"};
  EXPECT_EQ(configuration_of(sources).prefetch, 1);
  sources.flags.clear();
  EXPECT_EQ(configuration_of(sources).prefetch, 2);
  sources.variables.clear();
  EXPECT_EQ(configuration_of(sources).prefetch, 3);
}

TEST(Configuration, CountsAnEmptyVariableAsNotSet) {
  EXPECT_EQ(configuration_of({.variables = {{"INVENTORY_PREFETCH", ""}}, .file = "prefetch = 3"})
                .prefetch,
            3);
}

TEST(Configuration, ReadsEverySettingFromEverySource) {
  const std::map<std::string, std::string> values{
      {"amqp-url", "amqps://u:p@h/v"},
      {"database-url", "postgresql+asyncpg://u:p@h/d"},
      {"read-database-url", "postgresql://r:p@standby/d"},
      {"order-queue", "o"},
      {"item-queue", "i"},
      {"cancel-queue", "c"},
      {"confirm-queue", "none"},
      {"expiry-queue", "expiries"},
      {"adjust-queue", "none"},
      {"order-response-queue", "or"},
      {"item-response-queue", "ir"},
      {"partition", "3/16"},
      {"queue-type", "quorum"},
      {"events-exchange", "e"},
      {"events", "all"},
      {"prefetch", "10"},
      {"batch-max", "20"},
      {"message-bytes-max", "2048"},
      {"shutdown-budget", "5"},
      {"require-stock", "true"},
      {"http-listen", "none"},
      {"http-hosts", "shop.example:443,inventory"},
      {"http-token-file", "t"},
      {"log-level", "debug"},
      {"log-format", "json"},
      {"amqp-ca-file", "ca"},
      {"amqp-certificate-file", "c"},
      {"amqp-key-file", "k"},
  };
  Sources by_flag;
  Sources by_environment;
  Sources by_file{.file = ""};
  for (const Setting& setting : settings()) {
    const std::string value = values.at(std::string(setting.name));
    by_flag.flags.emplace(setting.name, value);
    by_environment.variables.emplace(setting.environment, value);
    *by_file.file += std::string(setting.name) + " = \"" + value + "\"\n";
  }
  for (const Sources& sources : {by_flag, by_environment, by_file}) {
    const Configuration read = configuration_of(sources);
    EXPECT_TRUE(read.amqp_endpoint.tls);
    EXPECT_EQ(read.amqp_endpoint.vhost, "v");
    EXPECT_EQ(read.database, DatabaseUrl(PostgresUrl{"postgresql://u:p@h/d"}));
    EXPECT_EQ(read.read_database, DatabaseUrl(PostgresUrl{"postgresql://r:p@standby/d"}));
    EXPECT_EQ(read.partitions, (Partitions{.count = 16, .number = 3}));
    EXPECT_EQ(read.order_queue, "o");
    EXPECT_EQ(read.item_queue, "i");
    EXPECT_EQ(read.cancel_queue, "c");
    EXPECT_EQ(read.confirm_queue, "");
    EXPECT_EQ(read.expiry_queue, "expiries");
    EXPECT_EQ(read.adjust_queue, "");
    EXPECT_EQ(read.order_response_queue, "or");
    EXPECT_EQ(read.item_response_queue, "ir");
    EXPECT_EQ(read.queue_type, amqp::QueueType::quorum);
    EXPECT_EQ(read.events_exchange, "e");
    EXPECT_EQ(read.events, domain::Telling::all);
    EXPECT_EQ(read.prefetch, 10);
    EXPECT_EQ(read.batch_max, 20U);
    EXPECT_EQ(read.message_bytes_max, 2048U);
    EXPECT_EQ(read.shutdown_budget, std::chrono::seconds(5));
    EXPECT_TRUE(read.require_stock);
    EXPECT_EQ(read.http_listen, std::nullopt);
    EXPECT_EQ(read.http_hosts, (std::vector<std::string>{"shop.example", "inventory"}));
    EXPECT_EQ(read.http_token_file, "t");
    EXPECT_EQ(read.log_level, ops::LogLevel::debug);
    EXPECT_EQ(read.log_format, ops::LogFormat::json);
    EXPECT_EQ(read.amqp_tls.ca_file, "ca");
    EXPECT_EQ(read.amqp_tls.certificate_file, "c");
    EXPECT_EQ(read.amqp_tls.key_file, "k");
  }
}

TEST(Configuration, ReadsPagesFromTheDatabaseUnlessAnotherIsNamed) {
  EXPECT_EQ(configuration_of({}).read_database, DatabaseUrl(SqlitePath{"inventory.db"}));
  const Sources sources{.variables = {{"DATABASE_URL", "postgresql://u:secret@h/d"}}};
  EXPECT_EQ(configuration_of(sources).read_database, configuration_of(sources).database);
  EXPECT_THAT(printed(sources),
              HasSubstr("read-database-url = \"postgresql://u:***@h/d\"  # default\n"));
  EXPECT_THAT(error_of({.flags = {{"read-database-url", "mysql://u:secret@h/d"}}}),
              AllOf(HasSubstr("read-database-url (flag --read-database-url) takes sqlite:PATH"),
                    Not(HasSubstr("secret"))));
}

TEST(Configuration, AsksForTheEnvironmentNamesThatAreDocumented) {
  for (const Setting& setting : settings()) {
    std::string name = "INVENTORY_" + std::string(setting.name);
    if (setting.may_hold_credentials) name = setting.name;
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c == '-' ? '_' : static_cast<char>(toupper(c)); });
    EXPECT_EQ(setting.environment, name);
  }
}

TEST(Configuration, TakesTheHostOfThePythonServiceWhereNoUrlIsSet) {
  Sources sources{.variables = {{"RABBITMQ_HOST", "broker"}}};
  EXPECT_EQ(configuration_of(sources).amqp_endpoint.hosts,
            (std::vector<amqp::Host>{{"broker", 5672}}));
  EXPECT_THAT(
      printed(sources),
      HasSubstr("amqp-url = \"amqp://guest:***@broker:5672/\"  # environment RABBITMQ_HOST"));
  sources.file = "amqp-url = \"amqp://other\"";
  EXPECT_EQ(configuration_of(sources).amqp_endpoint.hosts[0].name, "other");
  sources.variables["AMQP_URL"] = "amqp://third";
  EXPECT_EQ(configuration_of(sources).amqp_endpoint.hosts[0].name, "third");
}

TEST(Configuration, TakesAPortBesideThatHost) {
  const Sources name{.variables = {{"RABBITMQ_HOST", "rabbit:5673"}}};
  EXPECT_EQ(configuration_of(name).amqp_endpoint.hosts,
            (std::vector<amqp::Host>{{"rabbit", 5673}}));
  const Sources ipv6{.variables = {{"RABBITMQ_HOST", "[::1]:5673"}}};
  EXPECT_EQ(configuration_of(ipv6).amqp_endpoint.hosts, (std::vector<amqp::Host>{{"::1", 5673}}));
}

TEST(Configuration, TakesAnAddressForThatHostButNothingElse) {
  const Sources ipv6{.variables = {{"RABBITMQ_HOST", "::1"}}};
  EXPECT_EQ(configuration_of(ipv6).amqp_endpoint.hosts, (std::vector<amqp::Host>{{"::1", 5672}}));
  for (const char* host : {"u:p@h", "h/v", "a,b", "h h", "h\n", "h:", "h:x", "h:0", "h:65536"}) {
    EXPECT_EQ(error_of({.variables = {{"RABBITMQ_HOST", host}}}),
              "environment RABBITMQ_HOST takes a host's name or address, and perhaps a port: "
              "rabbit:5673; AMQP_URL takes more");
  }
}

TEST(Configuration, NamesTheSettingItsSourceAndWhatItTakes) {
  EXPECT_EQ(error_of({.flags = {{"prefetch", "0"}}}),
            R"(prefetch (flag --prefetch) takes a whole number from 1 to 65535; not "0")");
  EXPECT_EQ(error_of({.variables = {{"INVENTORY_PREFETCH", "-1"}}}),
            "prefetch (environment INVENTORY_PREFETCH) takes a whole number from 1 to 65535; "
            "not \"-1\"");
  EXPECT_EQ(error_of({.file = "prefetch = 65536"}),
            "prefetch (file \"settings.toml\" key prefetch) takes a whole number from 1 to 65535; "
            "not \"65536\"");
}

TEST(Configuration, RefusesEachWrongValueInOneLine) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> wrong{
      {"amqp-url", {"", "localhost", "http://h/", "amqp://h:x/"}},
      {"database-url", {"", "mysql://h/d", "sqlite:", "postgresql://h:x/d"}},
      {"order-queue", {"", "amq.q", std::string(252, 'q'), "\xFF", "a\nb"}},
      {"queue-type", {"", "Classic", "stream"}},
      {"prefetch",
       {"", "0", "65536", "1.5", "1 ", " 1", "+1", "1e3", "010", "99999999999999999999"}},
      {"batch-max", {"0", "10001"}},
      {"message-bytes-max", {"1023", "16777217"}},
      {"shutdown-budget", {"0", "3601", "20s"}},
      {"require-stock", {"yes", "1", "TRUE"}},
      {"http-listen", {"", "9464", "None", "::1:9464", "localhost:70000"}},
      {"http-hosts", {",", "a,", "a, b", "https://a", "a:x"}},
      {"log-level", {"warning", "INFO"}},
      {"log-format", {"xml"}},
      {"amqp-ca-file", {std::string(1, '\0')}},
  };
  for (const auto& [name, values] : wrong) {
    for (const std::string& value : values) {
      const std::string error = error_of({.flags = {{name, value}}});
      std::string source = name;
      source.append(" (flag --").append(name).append(") takes ");
      EXPECT_THAT(error,
                  AllOf(testing::StartsWith(source), Not(HasSubstr("\n")), Not(HasSubstr("\xFF"))))
          << value;
    }
  }
}

TEST(Configuration, TakesTheBoundsThatItNames) {
  for (const auto& [name, low, high] :
       {std::tuple{"prefetch", "1", "65535"}, std::tuple{"batch-max", "1", "10000"},
        std::tuple{"message-bytes-max", "1024", "16777216"},
        std::tuple{"shutdown-budget", "1", "3600"}}) {
    EXPECT_EQ(error_of({.flags = {{name, low}}}), "no error");
    EXPECT_EQ(error_of({.flags = {{name, high}}}), "no error");
    const auto setting = std::ranges::find(settings(), name, &Setting::name);
    EXPECT_THAT(std::string(setting->takes), HasSubstr(std::string("from ") + low + " to " + high));
  }
  const std::string longest(251, 'q');
  EXPECT_EQ(error_of({.flags = {{"order-queue", longest}, {"expiry-queue", "e"}}}), "no error");
  EXPECT_THAT(error_of({.flags = {{"order-queue", longest}}}),
              HasSubstr("expiry-queue (default) takes 1 to 251 bytes"));
}

TEST(Configuration, NeverRepeatsAUrlThatIsWrong) {
  for (const char* url :
       {"amqp://u:hunter2@h:x/", "hunter2", "amqp://u:hunter2%zz@h/", "amqp://u:hunter2@/",
        "amqp://u:hunter2@h/?heartbeat=x", "amqp://u:hunter2/x@h", "amqp://u:hunter2\n@h"}) {
    EXPECT_THAT(error_of({.flags = {{"amqp-url", url}}}),
                AllOf(HasSubstr("takes amqp"), Not(HasSubstr("hunter2"))));
    EXPECT_THAT(error_of({.flags = {{"database-url", url}}}),
                AllOf(HasSubstr("takes sqlite"), Not(HasSubstr("hunter2"))));
  }
}

TEST(Configuration, CutsALongValueInAnError) {
  EXPECT_THAT(error_of({.flags = {{"queue-type", std::string(5000, 'x')}}}),
              testing::EndsWith("not \"" + std::string(64, 'x') + "\"..."));
}

TEST(Configuration, RefusesAQueueThatWouldFeedTheServiceItsOwnMessages) {
  EXPECT_EQ(error_of({.flags = {{"item-queue", "order_validate"}}}),
            "item-queue (flag --item-queue) takes another name than order-queue (default)");
  EXPECT_EQ(error_of({.file = "order-response-queue = \"inventory_new_item\""}),
            "order-response-queue (file \"settings.toml\" key order-response-queue) takes another "
            "name than item-queue (default)");
  EXPECT_EQ(error_of({.flags = {{"item-queue", "order_validate.dlq"}}}),
            "item-queue (flag --item-queue) takes another name than the dead-letter queue of "
            "order-queue (default)");
  EXPECT_THAT(error_of({.flags = {{"order-queue", "inventory_new_item.dlq"}}}),
              HasSubstr("dead-letter queue of item-queue"));
  EXPECT_THAT(error_of({.flags = {{"item-response-queue", "inventory_new_item.dlq"}}}),
              HasSubstr("dead-letter queue of item-queue"));
  EXPECT_THAT(error_of({.flags = {{"cancel-queue", "order_validate.undelivered"}}}),
              HasSubstr("queue of undelivered replies to order-queue"));
  EXPECT_EQ(error_of({.flags = {{"confirm-queue", "order_validate.expiry"}}}),
            "expiry-queue (default) takes another name than confirm-queue (flag --confirm-queue)");
}

TEST(Configuration, RefusesAQueueOfRequestsThatTakesTheRepliesToOthers) {
  EXPECT_EQ(error_of({.flags = {{"order-queue", "order_cancel_response"}}}),
            "order-queue (flag --order-queue) takes another name than the queue of replies to "
            "cancel-queue (default)");
  EXPECT_EQ(
      error_of({.flags = {{"order-queue", "order_cancel_response"}, {"cancel-queue", "none"}}}),
      "no error");
  EXPECT_EQ(error_of({.flags = {{"order-queue", "order_validate.expiry_response"},
                                {"expiry-queue", "order_validate.expiry"}}}),
            "no error")
      << "expiries get no replies";
}

TEST(Configuration, RefusesAQueueThatBelongsToAPartition) {
  const auto error_with = [](const char* partition, const char* setting, std::string name) {
    return error_of({.flags = {{"partition", partition}, {"order-queue", "X"}, {setting, name}}});
  };
  EXPECT_EQ(error_with("1/4", "order-response-queue", "X.1"),
            "order-response-queue (flag --order-response-queue) takes another name than the queue "
            "for partition 1 of order-queue (flag --order-queue)");
  EXPECT_EQ(error_with("all/4", "cancel-queue", "X.1"),
            "cancel-queue (flag --cancel-queue) takes another name than the queue for partition 1 "
            "of order-queue (flag --order-queue)");
  for (const auto& [name, use] :
       {std::pair("X.0", "the queue for partition 0"),
        std::pair("X.3", "the queue for partition 3"),
        std::pair("X.2.dlq", "the dead-letter queue for partition 2"),
        std::pair("X.1.undelivered", "the queue of undelivered replies for partition 1"),
        std::pair("X.1.waiting", "the router's queue for partition 1"),
        std::pair("X.1.waiting.lock", "the router's lock for partition 1"),
        std::pair("X.dlq", "the dead-letter queue"),
        std::pair("X.undelivered", "the queue of undelivered replies")}) {
    for (const char* partition : {"1/4", "all/4"}) {
      EXPECT_THAT(error_with(partition, "adjust-queue", name),
                  HasSubstr(std::string("takes another name than ") + use));
    }
  }
  for (const char* name : {"X.4", "X.01", "X.1x", "X.", "X.+1", "X.-1", "X.1.expiry", "X1",
                           "X.99999999999", "X.waiting", "X.1.waiting.dlq", "X.1.1"}) {
    EXPECT_EQ(error_with("1/4", "cancel-queue", name), "no error") << name;
  }
  EXPECT_EQ(error_with("none", "cancel-queue", "X.1"), "no error");
  // The same, with the names in the other order; and the name of the service's own queue.
  EXPECT_THAT(error_with("1/4", "cancel-queue", "X.expiry.1"),
              HasSubstr("the queue for partition 1 of expiry-queue (default)"));
  EXPECT_EQ(
      error_of({.flags = {{"partition", "1/4"}, {"order-queue", "X.1"}, {"item-queue", "X"}}}),
      "order-queue (flag --order-queue) takes another name than the queue for partition 1 of "
      "item-queue (flag --item-queue)");
}

TEST(Configuration, HasDefaultNamesThatDifferWithAnyPartition) {
  for (const char* partition : {"none", "0/1", "3/16", "all/1024"}) {
    EXPECT_EQ(error_of({.flags = {{"partition", partition}}}), "no error");
  }
}

TEST(Configuration, TakesNoneOnlyWhereItSwitchesAKindOff) {
  for (const char* name :
       {"order-queue", "item-queue", "order-response-queue", "item-response-queue"}) {
    EXPECT_THAT(error_of({.flags = {{name, "none"}}}),
                HasSubstr(R"(not beginning with "amq." and not none; not "none")"));
  }
  EXPECT_EQ(error_of({.flags = {{"cancel-queue", "none"},
                                {"confirm-queue", "none"},
                                {"adjust-queue", "none"},
                                {"expiry-queue", "none"}}}),
            "no error");
}

TEST(Configuration, NamesTheExpiryQueueAfterTheOrderQueue) {
  EXPECT_EQ(configuration_of({}).expiry_queue, "order_validate.expiry");
  EXPECT_EQ(configuration_of({.flags = {{"order-queue", "o"}}}).expiry_queue, "o.expiry");
  EXPECT_EQ(configuration_of({.flags = {{"order-queue", "o"}, {"expiry-queue", "e"}}}).expiry_queue,
            "e");
  EXPECT_EQ(configuration_of({.flags = {{"expiry-queue", "none"}}}).expiry_queue, "");
  EXPECT_THAT(printed({}), HasSubstr("expiry-queue = \"order_validate.expiry\"  # default\n"));
}

TEST(Configuration, LetsBothKindsOfRepliesShareAQueue) {
  EXPECT_EQ(error_of({.flags = {{"order-response-queue", "r"}, {"item-response-queue", "r"}}}),
            "no error");
}

TEST(Configuration, RefusesFilesForTlsThatWouldGoUnused) {
  EXPECT_EQ(error_of({.flags = {{"amqp-ca-file", "ca.pem"}}}),
            "amqp-ca-file (flag --amqp-ca-file) takes an amqp-url (default) that begins with "
            "amqps://");
  const FlagValues url{{"amqp-url", "amqps://h"}};
  Sources sources{.flags = url, .variables = {{"INVENTORY_AMQP_CERTIFICATE_FILE", "c"}}};
  EXPECT_EQ(error_of(sources),
            "amqp-certificate-file (environment INVENTORY_AMQP_CERTIFICATE_FILE) takes "
            "amqp-key-file beside it");
  sources.variables = {{"INVENTORY_AMQP_KEY_FILE", "k"}};
  EXPECT_THAT(error_of(sources), HasSubstr("takes amqp-certificate-file beside it"));
}

TEST(Configuration, NamesAnUnknownKeyAndItsLine) {
  EXPECT_EQ(error_of({.file = "\nprefecth = 5"}),
            "file \"settings.toml\" line 2: no setting is called \"prefecth\"");
  EXPECT_EQ(error_of({.file = "config = \"other.toml\""}),
            "file \"settings.toml\" line 1: no setting is called \"config\"");
}

TEST(Configuration, NamesTheFileWhoseLineIsWrong) {
  EXPECT_EQ(error_of({.file = "prefetch = 5\nprefetch = 6"}),
            "file \"settings.toml\" line 2: prefetch is already set in line 1");
}

TEST(Configuration, PrintsWhatIsInForceWithItsSourceAndNoPassword) {
  const std::string text = printed({.flags = {{"prefetch", "7"}},
                                    .variables = {{"AMQP_URL", "amqps://u:hunter2@h"}},
                                    .file = "database-url = 'postgresql://u:hunter2@h/d'\n"
                                            "order-queue = 'a\"#b'"});
  EXPECT_THAT(text, Not(HasSubstr("hunter2")));
  EXPECT_THAT(text, HasSubstr("amqp-url = \"amqps://u:***@h\"  # environment AMQP_URL\n"));
  EXPECT_THAT(text, HasSubstr("database-url = \"postgresql://u:***@h/d\"  # file \"settings.toml\" "
                              "key database-url\n"));
  EXPECT_THAT(text, HasSubstr("order-queue = \"a\\\"#b\"  # file "));
  EXPECT_THAT(text, HasSubstr("prefetch = 7  # flag --prefetch\n"));
  EXPECT_THAT(text, HasSubstr("amqp-ca-file = \"\"  # default\n"));
}

TEST(Configuration, PrintsAFileThatGivesTheSameConfiguration) {
  const Sources sources{.flags = {{"prefetch", "7"},
                                  {"order-queue", "a\"#\\ \u20AC"},
                                  {"amqp-url", "amqp://localhost/v"},
                                  {"log-format", "json"}}};
  const auto loaded = load(sources);
  ASSERT_TRUE(loaded) << loaded.error();
  const auto again = load({.file = print_configuration(loaded->in_force)});
  ASSERT_TRUE(again) << again.error();
  for (std::size_t i = 0; i < settings().size(); ++i) {
    EXPECT_EQ(again->in_force[i].text, loaded->in_force[i].text);
    EXPECT_THAT(again->in_force[i].source, HasSubstr("settings.toml"));
  }
}

// A folder that is there while it lives.
class Folder {
 public:
  Folder() : path_(testing::TempDir() + "configurationXXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }

  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = path_ + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

 private:
  std::string path_;
};

TEST(CredentialFile, HoldsAUrlInItsFirstLine) {
  const Folder folder;
  for (const std::string_view rest : {"", "\n", "\r\n", "\nmore\n"}) {
    const std::string path = folder.write("amqp", "amqp://shop:secret@b/v" + std::string(rest));
    const Sources sources{.variables = {{"AMQP_URL_FILE", path}}};
    EXPECT_EQ(configuration_of(sources).amqp_endpoint.password, "secret");
    EXPECT_THAT(printed(sources),
                HasSubstr("amqp-url = \"amqp://shop:***@b/v\"  # environment AMQP_URL_FILE"));
  }
}

TEST(CredentialFile, CountsLikeItsVariable) {
  const Folder folder;
  const std::string path = folder.write("database", "sqlite:by-file.db\n");
  const FlagValues variables{{"DATABASE_URL_FILE", path}};
  EXPECT_EQ(
      configuration_of({.variables = variables, .file = "database-url = 'sqlite:x'"}).database,
      DatabaseUrl(SqlitePath{"by-file.db"}));
  EXPECT_EQ(
      configuration_of({.flags = {{"database-url", "sqlite:flag.db"}}, .variables = variables})
          .database,
      DatabaseUrl(SqlitePath{"flag.db"}));
  EXPECT_EQ(configuration_of({.variables = {{"DATABASE_URL_FILE", ""}}}).database,
            DatabaseUrl(SqlitePath{"inventory.db"}));
}

TEST(CredentialFile, CannotBeNamedBesideItsVariable) {
  EXPECT_EQ(error_of({.variables = {{"AMQP_URL", "amqp://u:secret@b"}, {"AMQP_URL_FILE", "/x"}}}),
            "amqp-url (environment AMQP_URL_FILE) takes nothing while AMQP_URL is set, too");
}

TEST(CredentialFile, IsNeverRepeatedInAnError) {
  const Folder folder;
  EXPECT_EQ(error_of({.variables = {{"AMQP_URL_FILE", "/nowhere"}}}),
            "amqp-url (environment AMQP_URL_FILE) takes a file that can be read; \"/nowhere\": No "
            "such file or directory");
  EXPECT_THAT(error_of({.variables = {{"AMQP_URL_FILE", folder.path()}}}),
              HasSubstr("Is a directory"));
  for (const std::string_view content : {"", "http://u:secret@b", "secret\x01"}) {
    const std::string path = folder.write("wrong", std::string(content));
    EXPECT_THAT(error_of({.variables = {{"AMQP_URL_FILE", path}}}),
                AllOf(HasSubstr("amqp-url (environment AMQP_URL_FILE) takes amqp[s]://"),
                      Not(HasSubstr("secret"))));
  }
}

TEST(SettingsFileReader, ReadsAFileAsItIs) {
  const Folder folder;
  const std::string path = folder.write("a.toml", "prefetch = 5\r\n");
  const auto file = read_settings_file(path, "flag --config");
  ASSERT_TRUE(file) << file.error();
  EXPECT_EQ(file->path, path);
  EXPECT_EQ(file->text, "prefetch = 5\r\n");
}

TEST(SettingsFileReader, ReadsNoMoreOfALargeFileThanShowsThatItIsTooLarge) {
  const Folder folder;
  const auto file =
      read_settings_file(folder.write("a.toml", std::string(1 << 20, '#')), "flag --config");
  ASSERT_TRUE(file) << file.error();
  EXPECT_EQ(file->text.size(), kSettingsFileBytesMax + 1);
  EXPECT_THAT(error_of({.file = file->text}), HasSubstr("takes at most 65536 bytes"));
}

TEST(SettingsFileReader, SaysWhyAFileCannotBeRead) {
  const Folder folder;
  const auto missing = read_settings_file("no/such\nfile", "environment INVENTORY_CONFIG");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(),
            "config (environment INVENTORY_CONFIG) takes a file that can be read; "
            "\"no/such\\u000Afile\": No such file or directory");
  const auto directory = read_settings_file(folder.path(), "flag --config");
  ASSERT_FALSE(directory);
  EXPECT_THAT(directory.error(), testing::EndsWith(": Is a directory"));
}

TEST(CheckFiles, NamesTheSettingWhoseFileCannotBeRead) {
  const Folder folder;
  const std::string present = folder.write("ca.pem", "");
  const auto check = [](const std::string& path) {
    const auto loaded = load({.flags = {{"amqp-url", "amqps://h"}, {"amqp-ca-file", path}}});
    return loaded ? check_files(loaded->in_force) : Applied(std::unexpected(loaded.error()));
  };
  EXPECT_TRUE(check(present));
  const auto missing = check(folder.path() + "/no.pem");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error(),
              AllOf(testing::StartsWith("amqp-ca-file (flag --amqp-ca-file) takes a file"),
                    testing::EndsWith(": No such file or directory")));
}

TEST(HttpToken, IsTheLineOfAFile) {
  const Folder folder;
  EXPECT_EQ(read_http_token(""), "");
  const std::string longest(1024, 'x');
  for (const std::string& token : {std::string("s3:cret \xC3\xB6"), longest}) {
    for (const char* end : {"", "\n", "\r\n"}) {
      EXPECT_EQ(read_http_token(folder.write("token", token + end)), token);
    }
  }
}

TEST(HttpToken, IsNothingElseAndIsNeverShown) {
  const Folder folder;
  const auto why_not = [&](const std::string& text) {
    const auto token = read_http_token(folder.write("token", text));
    return token ? "it is one" : token.error();
  };
  const std::string begin = "http-token-file takes a file with a line of 1 to 1024 bytes; \"" +
                            folder.path() + "/token\": ";
  EXPECT_EQ(why_not(""), begin + "it holds none");
  EXPECT_EQ(why_not("\n"), begin + "it holds none");
  EXPECT_EQ(why_not(std::string(1025, 'x')), begin + "it holds more");
  EXPECT_EQ(why_not(std::string(1 << 20, 'x')), begin + "it holds more");
  EXPECT_EQ(why_not("hunter2\nhunter3\n"), begin + "it holds a control character");
  EXPECT_EQ(why_not(std::string("hunter2\0", 8)), begin + "it holds a control character");
  const auto missing = read_http_token(folder.path() + "/no");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error(), testing::EndsWith("/no\": No such file or directory"));
}

TEST(HttpToken, ConcernsTheServiceAlone) {
  const auto loaded = load({.flags = {{"http-token-file", "no/file"}}});
  ASSERT_TRUE(loaded);
  EXPECT_TRUE(check_files(loaded->in_force));
}

}  // namespace
}  // namespace inventory::config
