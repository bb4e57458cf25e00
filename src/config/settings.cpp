#include "config/settings.h"

#include <charconv>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include "contract/queues.h"
#include "domain/partition.h"
#include "store/store.h"
#include "terminal/utf8.h"

namespace inventory::config {
namespace {

constexpr std::string_view kTakesQueueName =
    R"(1 to 251 bytes of UTF-8, not beginning with "amq." and not none)";
constexpr std::string_view kTakesQueueNameOrNone =
    R"(1 to 251 bytes of UTF-8, not beginning with "amq.", or none)";
constexpr std::string_view kTakesExchangeNameOrNone =
    R"(1 to 255 bytes of UTF-8, not beginning with "amq.", or none)";
constexpr std::string_view kTakesDatabaseUrl =
    "sqlite:PATH, sqlite:///PATH or postgresql://user:password@host/database";
// Leaves room for the suffix of the dead-letter queue.
constexpr std::size_t kNameBytesMax =
    contract::kQueueNameBytesMax - contract::kDeadLetterSuffix.size();

constexpr std::size_t kBatchMax = 10'000;
static_assert(kBatchMax == store::kBatchMax);

// Digits only, without leading zeros, as for a number in a settings file.
template <std::integral Number>
Applied read_number(std::string_view text, Number min, Number max, Number& member) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  const bool leading_zero = text.starts_with('0') && text.size() > 1;
  if (!whole || leading_zero || value < min || value > max) return std::unexpected("");
  member = value;
  return {};
}

template <class Choice>
Applied read_choice(std::string_view text,
                    std::initializer_list<std::pair<std::string_view, Choice>> choices,
                    Choice& member) {
  for (const auto& [name, choice] : choices) {
    if (text == name) {
      member = choice;
      return {};
    }
  }
  return std::unexpected("");
}

// Not none, which would be taken for switched off.
Applied read_queue_name(std::string_view text, std::string& member) {
  if (text.empty() || text.size() > kNameBytesMax || text.starts_with("amq.") || text == "none" ||
      !terminal::is_utf8(text)) {
    return std::unexpected("");
  }
  member = text;
  return {};
}

// none: the kind of request is switched off, and its queue has no name.
Applied read_optional_queue_name(std::string_view text, std::string& member) {
  if (text != "none") return read_queue_name(text, member);
  member.clear();
  return {};
}

Applied read_exchange_name(std::string_view text, std::string& member) {
  member.clear();
  if (text == "none") return {};
  if (text.empty() || text.size() > contract::kQueueNameBytesMax || text.starts_with("amq.") ||
      !terminal::is_utf8(text)) {
    return std::unexpected("");
  }
  member = text;
  return {};
}

Applied read_path(std::string_view text, std::string& member) {
  member = text;
  return {};
}

Applied read_amqp_url(std::string_view text, Configuration& configuration) {
  auto endpoint = amqp::parse_url(text);
  if (!endpoint) return std::unexpected(std::move(endpoint.error()));
  configuration.amqp_endpoint = *std::move(endpoint);
  return {};
}

Applied read_database_url(std::string_view text, Configuration& configuration) {
  auto database = parse_database_url(text);
  if (!database) return std::unexpected(std::move(database.error()));
  configuration.database = *std::move(database);
  return {};
}

Applied read_read_database_url(std::string_view text, Configuration& configuration) {
  auto database = parse_database_url(text);
  if (!database) return std::unexpected(std::move(database.error()));
  configuration.read_database = *std::move(database);
  return {};
}

Applied read_shutdown_budget(std::string_view text, Configuration& configuration) {
  std::int64_t seconds = 0;
  auto read = read_number<std::int64_t>(text, 1, 3600, seconds);
  if (read) configuration.shutdown_budget = std::chrono::seconds(seconds);
  return read;
}

Applied read_http_listen(std::string_view text, Configuration& configuration) {
  configuration.http_listen.reset();
  if (text == "none") return {};
  auto address = ops::parse_http_address(text);
  if (!address) return std::unexpected(std::move(address.error()));
  configuration.http_listen = *std::move(address);
  return {};
}

Applied read_http_hosts(std::string_view text, Configuration& configuration) {
  auto hosts = ops::parse_http_hosts(text);
  if (!hosts) return std::unexpected(std::move(hosts.error()));
  configuration.http_hosts = *std::move(hosts);
  return {};
}

Applied read_partition(std::string_view text, Configuration& configuration) {
  configuration.partitions.reset();
  if (text == "none") return {};
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::unexpected("");
  const std::string_view number = text.substr(0, slash);
  Partitions partitions;
  auto read = read_number<std::uint32_t>(text.substr(slash + 1), 1, domain::kPartitionsMax,
                                         partitions.count);
  if (read && number != "all") {
    read = read_number<std::uint32_t>(number, 0, partitions.count - 1, partitions.number.emplace());
  }
  if (read) configuration.partitions = partitions;
  return read;
}

constexpr Setting kSettings[] = {
    {.name = "amqp-url",
     .environment = "AMQP_URL",
     .placeholder = "URL",
     .default_text = "amqp://guest:guest@localhost:5672/",
     .description = "the RabbitMQ broker; without it, RABBITMQ_HOST names the host",
     .takes = "amqp[s]://user:password@host[:port][,host2[:port]...][/vhost]",
     .may_hold_credentials = true,
     .apply = read_amqp_url},
    {.name = "database-url",
     .environment = "DATABASE_URL",
     .placeholder = "URL",
     .default_text = "sqlite:inventory.db",
     .description = "the database",
     .takes = kTakesDatabaseUrl,
     .may_hold_credentials = true,
     .apply = read_database_url},
    {.name = "read-database-url",
     .environment = "READ_DATABASE_URL",
     .placeholder = "URL",
     .default_text = "the database-url",
     .description = "the database that the pages over HTTP read, such as a standby",
     .takes = kTakesDatabaseUrl,
     .may_hold_credentials = true,
     .apply = read_read_database_url},
    {.name = "order-queue",
     .environment = "INVENTORY_ORDER_QUEUE",
     .placeholder = "NAME",
     .default_text = "order_validate",
     .description = "the queue of orders",
     .takes = kTakesQueueName,
     .apply = [](std::string_view text,
                 Configuration& to) { return read_queue_name(text, to.order_queue); }},
    {.name = "item-queue",
     .environment = "INVENTORY_ITEM_QUEUE",
     .placeholder = "NAME",
     .default_text = "inventory_new_item",
     .description = "the queue of new items",
     .takes = kTakesQueueName,
     .apply = [](std::string_view text,
                 Configuration& to) { return read_queue_name(text, to.item_queue); }},
    {.name = "cancel-queue",
     .environment = "INVENTORY_CANCEL_QUEUE",
     .placeholder = "NAME",
     .default_text = "order_cancel",
     .description = "the queue of cancellations of orders; none: switched off",
     .takes = kTakesQueueNameOrNone,
     .apply = [](std::string_view text,
                 Configuration& to) { return read_optional_queue_name(text, to.cancel_queue); }},
    {.name = "confirm-queue",
     .environment = "INVENTORY_CONFIRM_QUEUE",
     .placeholder = "NAME",
     .default_text = "order_confirm",
     .description = "the queue of confirmations of orders that hold; none: switched off",
     .takes = kTakesQueueNameOrNone,
     .apply = [](std::string_view text,
                 Configuration& to) { return read_optional_queue_name(text, to.confirm_queue); }},
    {.name = "expiry-queue",
     .environment = "INVENTORY_EXPIRY_QUEUE",
     .placeholder = "NAME",
     .default_text = "the order queue's name and .expiry",
     .description =
         "the service's own queue, for holds that are over; none: this instance gives none back",
     .takes = kTakesQueueNameOrNone,
     .apply = [](std::string_view text,
                 Configuration& to) { return read_optional_queue_name(text, to.expiry_queue); }},
    {.name = "adjust-queue",
     .environment = "INVENTORY_ADJUST_QUEUE",
     .placeholder = "NAME",
     .default_text = "inventory_adjust",
     .description = "the queue of adjustments of stock; none: switched off",
     .takes = kTakesQueueNameOrNone,
     .apply = [](std::string_view text,
                 Configuration& to) { return read_optional_queue_name(text, to.adjust_queue); }},
    {.name = "order-response-queue",
     .environment = "INVENTORY_ORDER_RESPONSE_QUEUE",
     .placeholder = "NAME",
     .default_text = "order_validate_response",
     .description = "the queue of replies to orders without a reply_to",
     .takes = kTakesQueueName,
     .apply = [](std::string_view text,
                 Configuration& to) { return read_queue_name(text, to.order_response_queue); }},
    {.name = "item-response-queue",
     .environment = "INVENTORY_ITEM_RESPONSE_QUEUE",
     .placeholder = "NAME",
     .default_text = "inventory_new_item_response",
     .description = "the queue of replies to new items without a reply_to",
     .takes = kTakesQueueName,
     .apply = [](std::string_view text,
                 Configuration& to) { return read_queue_name(text, to.item_response_queue); }},
    {.name = "partition",
     .environment = "INVENTORY_PARTITION",
     .placeholder = "N/COUNT",
     .default_text = "none",
     .description =
         "the partition of the products, such as 3/16; all/16: all of them; none: undivided stock",
     .takes = "NUMBER/COUNT, all/COUNT or none, with a COUNT from 1 to 1024",
     .apply = read_partition},
    {.name = "queue-type",
     .environment = "INVENTORY_QUEUE_TYPE",
     .placeholder = "TYPE",
     .default_text = "classic",
     .description =
         "type of the queues that the service creates; existing queues are used as they are",
     .takes = "classic or quorum",
     .apply =
         [](std::string_view text, Configuration& to) {
           return read_choice<amqp::QueueType>(
               text, {{"classic", amqp::QueueType::classic}, {"quorum", amqp::QueueType::quorum}},
               to.queue_type);
         }},
    {.name = "events-exchange",
     .environment = "INVENTORY_EVENTS_EXCHANGE",
     .placeholder = "NAME",
     .default_text = "none",
     .description = "the exchange to which events are published; none: no events",
     .takes = kTakesExchangeNameOrNone,
     .apply = [](std::string_view text,
                 Configuration& to) { return read_exchange_name(text, to.events_exchange); }},
    {.name = "events",
     .environment = "INVENTORY_EVENTS",
     .placeholder = "levels|all",
     .default_text = "levels",
     .description =
         "which changes of stock cause events: levels (out, low, in), or all changes of quantity",
     .takes = "levels or all",
     .apply =
         [](std::string_view text, Configuration& to) {
           return read_choice<domain::Telling>(
               text, {{"levels", domain::Telling::levels}, {"all", domain::Telling::all}},
               to.events);
         }},
    {.name = "prefetch",
     .environment = "INVENTORY_PREFETCH",
     .placeholder = "N",
     .default_text = "2000",
     .description = "unacknowledged requests that the broker delivers, at most, for each queue",
     .takes = "a whole number from 1 to 65535",
     .is_number = true,
     .apply =
         [](std::string_view text, Configuration& to) {
           return read_number<std::uint16_t>(text, 1, 65535, to.prefetch);
         }},
    {.name = "batch-max",
     .environment = "INVENTORY_BATCH_MAX",
     .placeholder = "N",
     .default_text = "500",
     .description = "requests in one transaction, at most",
     .takes = "a whole number from 1 to 10000",
     .is_number = true,
     .apply =
         [](std::string_view text, Configuration& to) {
           return read_number<std::size_t>(text, 1, kBatchMax, to.batch_max);
         }},
    {.name = "message-bytes-max",
     .environment = "INVENTORY_MESSAGE_BYTES_MAX",
     .placeholder = "BYTES",
     .default_text = "65536",
     .description = "maximum size of a request; larger ones are dead-lettered",
     .takes = "a whole number from 1024 to 16777216 (16 MiB)",
     .is_number = true,
     .apply =
         [](std::string_view text, Configuration& to) {
           return read_number<std::size_t>(text, 1024, 16'777'216, to.message_bytes_max);
         }},
    {.name = "shutdown-budget",
     .environment = "INVENTORY_SHUTDOWN_BUDGET",
     .placeholder = "SECONDS",
     .default_text = "20",
     .description = "time to finish the requests in hand after SIGTERM or SIGINT",
     .takes = "a whole number from 1 to 3600 (seconds)",
     .is_number = true,
     .apply = read_shutdown_budget},
    {.name = "require-stock",
     .environment = "INVENTORY_REQUIRE_STOCK",
     .placeholder = "true|false",
     .default_text = "false",
     .description = "if there is no table of items, wait instead of creating an empty one",
     .takes = "true or false; the flag alone is true",
     .is_switch = true,
     .apply =
         [](std::string_view text, Configuration& to) {
           return read_choice<bool>(text, {{"true", true}, {"false", false}}, to.require_stock);
         }},
    {.name = "http-listen",
     .environment = "INVENTORY_HTTP_LISTEN",
     .placeholder = "HOST:PORT",
     .default_text = "127.0.0.1:9464",
     .description = "address of console, health and metrics; port 0: any free port; none: no HTTP",
     .takes = "HOST:PORT, [IPV6-ADDRESS]:PORT or none",
     .apply = read_http_listen},
    {.name = "http-hosts",
     .environment = "INVENTORY_HTTP_HOSTS",
     .placeholder = "NAMES",
     .default_text = "",
     .description =
         "host names by which people reach it, in addition to localhost and IP addresses",
     .takes = "names separated by commas, with or without ports; empty: none",
     .apply = read_http_hosts},
    {.name = "http-token-file",
     .environment = "INVENTORY_HTTP_TOKEN_FILE",
     .placeholder = "FILE",
     .default_text = "",
     .description = "token or password for all pages except health and metrics",
     .takes = "the path of a file with the token, at most 1024 bytes; empty: no token is required",
     .apply = [](std::string_view text,
                 Configuration& to) { return read_path(text, to.http_token_file); }},
    {.name = "log-level",
     .environment = "INVENTORY_LOG_LEVEL",
     .placeholder = "LEVEL",
     .default_text = "info",
     .description = "lowest level that is logged",
     .takes = "trace, debug, info, warn or error",
     .apply =
         [](std::string_view text, Configuration& to) {
           using enum ops::LogLevel;
           return read_choice<ops::LogLevel>(text,
                                             {{"trace", trace},
                                              {"debug", debug},
                                              {"info", info},
                                              {"warn", warn},
                                              {"error", error}},
                                             to.log_level);
         }},
    {.name = "log-format",
     .environment = "INVENTORY_LOG_FORMAT",
     .placeholder = "FORMAT",
     .default_text = "text",
     .description = "format of the log on standard error: text for people, json for machines",
     .takes = "text or json",
     .apply =
         [](std::string_view text, Configuration& to) {
           return read_choice<ops::LogFormat>(
               text, {{"text", ops::LogFormat::text}, {"json", ops::LogFormat::json}},
               to.log_format);
         }},
    {.name = "amqp-ca-file",
     .environment = "INVENTORY_AMQP_CA_FILE",
     .placeholder = "FILE",
     .default_text = "",
     .description = "certificate authorities for an amqps:// broker, PEM",
     .takes = "a file's path; empty: the system's authorities",
     .apply = [](std::string_view text,
                 Configuration& to) { return read_path(text, to.amqp_tls.ca_file); }},
    {.name = "amqp-certificate-file",
     .environment = "INVENTORY_AMQP_CERTIFICATE_FILE",
     .placeholder = "FILE",
     .default_text = "",
     .description = "client certificate for an amqps:// broker, PEM",
     .takes = "a file's path; empty: none",
     .apply = [](std::string_view text,
                 Configuration& to) { return read_path(text, to.amqp_tls.certificate_file); }},
    {.name = "amqp-key-file",
     .environment = "INVENTORY_AMQP_KEY_FILE",
     .placeholder = "FILE",
     .default_text = "",
     .description = "private key of that certificate, PEM",
     .takes = "a file's path; empty: none",
     .apply = [](std::string_view text,
                 Configuration& to) { return read_path(text, to.amqp_tls.key_file); }},
};

constexpr std::array kQueueSettings{
    QueueSettings{"order", "order-queue", &Configuration::order_queue, false,
                  "order-response-queue", &Configuration::order_response_queue},
    QueueSettings{"item", "item-queue", &Configuration::item_queue, false, "item-response-queue",
                  &Configuration::item_response_queue},
    QueueSettings{"cancellation", "cancel-queue", &Configuration::cancel_queue, true},
    QueueSettings{"confirmation", "confirm-queue", &Configuration::confirm_queue, true},
    QueueSettings{"adjustment", "adjust-queue", &Configuration::adjust_queue, true},
    QueueSettings{"expiry", "expiry-queue", &Configuration::expiry_queue, true},
};

}  // namespace

std::span<const Setting> settings() { return kSettings; }

std::span<const QueueSettings> queue_settings() { return kQueueSettings; }

}  // namespace inventory::config
