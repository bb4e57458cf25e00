#pragma once

// Configuration: the settings in force, from four sources. The first that has a setting wins:
//
//   1. flags, --prefetch 100
//   2. the environment, INVENTORY_PREFETCH=100; an empty variable counts as not set. A setting that
//      may contain credentials may be the first line of a file, which AMQP_URL_FILE names
//   3. a settings file, prefetch = 100 (--config FILE, or INVENTORY_CONFIG)
//   4. the default
// If none of the first three has an AMQP URL, it is made from RABBITMQ_HOST, if that is set.
//
// The settings themselves are the table in settings.cpp.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "amqp/connection.h"
#include "amqp/endpoint.h"
#include "config/database_url.h"
#include "domain/news.h"
#include "ops/http_address.h"
#include "ops/logging.h"

namespace inventory::config {

// Into how many partitions products are divided, and which of them this process works on.
struct Partitions {
  std::uint32_t count = 1;                             // 1 to domain::kPartitionsMax
  std::optional<std::uint32_t> number = std::nullopt;  // below count; empty: all of them

  friend bool operator==(const Partitions&, const Partitions&) = default;
};

struct Configuration {
  amqp::Endpoint amqp_endpoint;
  amqp::TlsOptions amqp_tls;  // set with amqps:// only; certificate and key together or neither
  DatabaseUrl database;
  DatabaseUrl read_database;  // for HTTP pages: perhaps a standby, by default the same

  // 1 to 251 bytes each. No request queue, and no queue whose name is made of its name
  // (contract/queues.h), is a queue for anything else.
  std::string order_queue;
  std::string item_queue;
  std::string order_response_queue;
  std::string item_response_queue;
  // The same, or empty: switched off. Replies go to the queue of that name with "_response".
  std::string cancel_queue;
  std::string confirm_queue;
  std::string adjust_queue;
  // The service's own queue, for holds that are over. Empty: it does not look for them. By default
  // it is named after the order queue.
  std::string expiry_queue;
  amqp::QueueType queue_type{};

  // Empty: the stock is undivided. The names of queues and databases above are for all partitions;
  // partition.h makes those of one.
  std::optional<Partitions> partitions;

  std::string events_exchange;  // 1 to 255 bytes; empty: there are no events
  domain::Telling events{};     // which changes of stock are published

  std::uint16_t prefetch = 0;              // 1 to 65535 unacknowledged requests a queue
  std::size_t batch_max = 0;               // 1 to 10,000 requests, store::kBatchMax
  std::size_t message_bytes_max = 0;       // 1 KiB to 16 MiB of a request's body
  std::chrono::seconds shutdown_budget{};  // 1 s to 1 h

  bool require_stock = false;  // do not create tables that would have no item

  std::optional<ops::HttpAddress> http_listen;  // empty: no health, no metrics
  std::vector<std::string> http_hosts;          // other names of the listener
  std::string http_token_file;                  // empty: no page requires a token

  ops::LogLevel log_level{};
  ops::LogFormat log_format{};

  // The request queues that are not switched off; orders first.
  std::vector<std::string> request_queues() const;
};

struct Setting;

// A setting in force: its text, and its source in words: "flag --prefetch", "environment
// INVENTORY_PREFETCH", "file settings.toml key prefetch", "default".
struct SettingInForce {
  const Setting* setting;
  std::string text;
  std::string source;
};

struct LoadedConfiguration {
  Configuration configuration;
  std::vector<SettingInForce> in_force;  // every setting, in the table's order
};

// The value of an environment variable.
using EnvironmentLookup = std::function<std::optional<std::string>(const std::string& name)>;

// A settings file: its path, for messages, and its text.
struct SettingsFile {
  std::string path;
  std::string text;
};

// The texts of flags by the settings' names.
using FlagValues = std::map<std::string, std::string, std::less<>>;

// Reads a settings file, at most one byte more than kSettingsFileBytesMax. The error is one line
// that names the file and the source.
std::expected<SettingsFile, std::string> read_settings_file(const std::string& path,
                                                            std::string_view source);

// Chooses between the sources and checks every value; reads only its arguments and the credential
// files that the environment names. The error is one line that names the setting, its source and
// the values it takes, never a credential.
std::expected<LoadedConfiguration, std::string> load_configuration(
    const FlagValues& flags, const EnvironmentLookup& environment,
    const std::optional<SettingsFile>& file);

// The token in a file, without the newline; empty if `path` is empty. The error is one line that
// names the file, and never contains the token.
std::expected<std::string, std::string> read_http_token(const std::string& path);

// Checks that the files named by settings can be read, except that of the token, which not all
// commands need.
std::expected<void, std::string> check_files(const std::vector<SettingInForce>& in_force);

// The settings in force as a settings file, one a line, with its source as a comment. Passwords are
// masked; apart from them, the file gives the same configuration.
std::string print_configuration(const std::vector<SettingInForce>& in_force);

// Makes a text from outside fit for a message: in quotes, in one line, cut to 64 bytes.
std::string quoted_for_message(std::string_view text);

}  // namespace inventory::config
