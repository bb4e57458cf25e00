#pragma once

// Configuration: what is in force, gathered from four sources. The first that has a setting wins:
//
//   1. flags, --prefetch 100
//   2. the environment, INVENTORY_PREFETCH=100; an empty variable counts as not set. A setting that
//      may hold credentials may be in a file instead: AMQP_URL_FILE names it, its first line counts
//   3. a settings file, prefetch = 100 (--config FILE, or INVENTORY_CONFIG)
//   4. the default
// An AMQP URL that none of the first three has is made of RABBITMQ_HOST, where that is set.
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

// How products are shared out, and which share is meant.
struct Partitions {
  std::uint32_t count = 1;                             // 1 to domain::kPartitionsMax
  std::optional<std::uint32_t> number = std::nullopt;  // below count; nothing: all of them

  friend bool operator==(const Partitions&, const Partitions&) = default;
};

struct Configuration {
  amqp::Endpoint amqp_endpoint;
  amqp::TlsOptions amqp_tls;  // set with amqps:// only; certificate and key together or neither
  DatabaseUrl database;
  DatabaseUrl read_database;  // that pages over HTTP read: perhaps a standby; else the same

  // 1 to 251 bytes each. No request queue is another of them, or its dead-letter queue.
  std::string order_queue;
  std::string item_queue;
  std::string order_response_queue;
  std::string item_response_queue;
  // The same, or empty: switched off. Replies go to the queue of that name and "_response".
  std::string cancel_queue;
  std::string confirm_queue;
  std::string adjust_queue;
  // The service's own: holds that are over. Empty: they are not looked for. Named after the order
  // queue unless a name was given.
  std::string expiry_queue;
  amqp::QueueType queue_type{};

  // Nothing: products are not shared out. Names of queues and databases are those of all
  // partitions; partition.h has those of one.
  std::optional<Partitions> partitions;

  std::string events_exchange;  // 1 to 255 bytes; empty: there are no events
  domain::Telling events{};     // which changes of stock are told

  std::uint16_t prefetch = 0;              // 1 to 65535 requests a queue without an acknowledgement
  std::size_t batch_max = 0;               // 1 to 10,000 requests, store::kBatchMax
  std::size_t message_bytes_max = 0;       // 1 KiB to 16 MiB of a request's body
  std::chrono::seconds shutdown_budget{};  // 1 s to 1 h

  bool require_stock = false;  // tables that would be without an item are not made

  std::optional<ops::HttpAddress> http_listen;  // none: no health, no metrics
  std::vector<std::string> http_hosts;          // names that lead there, beside its own
  std::string http_token_file;                  // empty: no page asks for a token

  ops::LogLevel log_level{};
  ops::LogFormat log_format{};

  // The request queues that are not switched off; orders first.
  std::vector<std::string> request_queues() const;
};

struct Setting;

// One setting as it is in force: its text, and where that was found, in words for people:
// "flag --prefetch", "environment INVENTORY_PREFETCH", "file settings.toml key prefetch",
// "default".
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

// A settings file: where it was read, for messages, and its text.
struct SettingsFile {
  std::string path;
  std::string text;
};

// Texts by the settings' names.
using FlagValues = std::map<std::string, std::string, std::less<>>;

// Reads a settings file, at most kSettingsFileBytesMax and a byte of it. The error is one line that
// names it and the source.
std::expected<SettingsFile, std::string> read_settings_file(const std::string& path,
                                                            std::string_view source);

// Decides between the sources and checks every value; reads nothing but what it is given and the
// files of credentials that the environment names. The error is one line that names the setting,
// its source and what it takes, never a credential.
std::expected<LoadedConfiguration, std::string> load_configuration(
    const FlagValues& flags, const EnvironmentLookup& environment,
    const std::optional<SettingsFile>& file);

// The token that a file holds, without the end of its line; empty if `path` is. The error is one
// line that names the file, never what it holds.
std::expected<std::string, std::string> read_http_token(const std::string& path);

// Checks that the files that settings name can be read, but for that of the token, which concerns
// one command alone.
std::expected<void, std::string> check_files(const std::vector<SettingInForce>& in_force);

// What is in force as a settings file, one line each with its source as a comment. Passwords are
// masked; but for them the text is a file that gives the same configuration.
std::string print_configuration(const std::vector<SettingInForce>& in_force);

// A text from outside as a message shows it: in quotes, in one line, cut to 64 bytes.
std::string quoted_for_message(std::string_view text);

}  // namespace inventory::config
