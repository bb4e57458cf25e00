#include "config/configuration.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <system_error>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "config/credentials.h"
#include "config/partition.h"
#include "config/settings.h"
#include "config/settings_file.h"
#include "contract/queues.h"
#include "terminal/utf8.h"

namespace inventory::config {
namespace {

constexpr std::string_view kRabbitmqHost = "RABBITMQ_HOST";
constexpr std::string_view kHttpTokenFile = "http-token-file";
constexpr std::size_t kHttpTokenBytesMax = 1024;

struct Found {
  std::string text;
  std::string source;
};

// By the settings' names.
using FoundValues = std::map<std::string, Found, std::less<>>;

std::optional<std::string> look_up(const EnvironmentLookup& environment, std::string_view name) {
  auto value = environment(std::string(name));
  if (value && value->empty()) return std::nullopt;
  return value;
}

// Reads the settings of a file. An unknown key is an error, because it is probably misspelled.
std::expected<FoundValues, std::string> read_keys(const SettingsFile& file) {
  const auto in_file = [&](std::string_view error) {
    return std::unexpected(fmt::format("file {} {}", quoted_for_message(file.path), error));
  };
  const auto parsed = parse_settings_file(file.text);
  if (!parsed) return in_file(parsed.error());
  FoundValues values;
  for (const FileSetting& entry : *parsed) {
    if (std::ranges::find(settings(), entry.key, &Setting::name) == settings().end()) {
      return in_file(fmt::format("line {}: no setting is called {}", entry.line,
                                 quoted_for_message(entry.key)));
    }
    values.emplace(entry.key,
                   Found{entry.value,
                         fmt::format("file {} key {}", quoted_for_message(file.path), entry.key)});
  }
  return values;
}

// A URL for the host in RABBITMQ_HOST: a name or an address, as for the Python service, and perhaps
// a port.
std::expected<std::string, std::string> url_for_host(const std::string& host) {
  static constexpr std::string_view kHostCharacters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:";
  // More than one colon: an IPv6 address without a port.
  if (host.starts_with('[') || std::ranges::count(host, ':') == 1) {
    if (const auto address = ops::parse_http_address(host); address && address->port != 0) {
      return fmt::format("amqp://guest:guest@{}/", address->display());
    }
  }
  if (host.find_first_not_of(kHostCharacters) != std::string::npos ||
      std::ranges::count(host, ':') == 1) {
    return std::unexpected(fmt::format(
        "environment {} takes a host's name or address, and perhaps a port: rabbit:5673; "
        "AMQP_URL takes more",
        kRabbitmqHost));
  }
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return fmt::format("amqp://guest:guest@{}{}{}:5672/", is_ipv6 ? "[" : "", host,
                     is_ipv6 ? "]" : "");
}

// Reads at most this many bytes of a file. The error is the operating system's text.
std::expected<std::string, std::string> read_start_of_file(const std::string& path,
                                                           std::size_t bytes_max) {
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  std::string text(bytes_max, '\0');
  if (stream) stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream.is_open() || stream.bad()) {
    return std::unexpected(std::generic_category().message(errno));
  }
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

std::unexpected<std::string> unreadable(std::string_view name, std::string_view source,
                                        const std::string& path, std::string_view why) {
  return std::unexpected(fmt::format("{} ({}) takes a file that can be read; {}: {}", name, source,
                                     quoted_for_message(path), why));
}

// A URL from the first line of the file that NAME_FILE in the environment names.
std::expected<std::optional<Found>, std::string> find_in_credential_file(
    const Setting& setting, const EnvironmentLookup& environment) {
  const std::string variable = fmt::format("{}_FILE", setting.environment);
  const auto path = look_up(environment, variable);
  if (!path) return std::nullopt;
  const std::string source = fmt::format("environment {}", variable);
  if (look_up(environment, setting.environment)) {
    return std::unexpected(fmt::format("{} ({}) takes nothing while {} is set, too", setting.name,
                                       source, setting.environment));
  }
  auto text = read_start_of_file(*path, kSettingsFileBytesMax);
  if (!text) return unreadable(setting.name, source, *path, text.error());
  text->resize(std::min(text->find('\n'), text->size()));
  if (text->ends_with('\r')) text->pop_back();
  return Found{*std::move(text), source};
}

std::expected<Found, std::string> find_value(const Setting& setting, const FlagValues& flags,
                                             const EnvironmentLookup& environment,
                                             const FoundValues& keys,
                                             const LoadedConfiguration& earlier) {
  if (const auto flag = flags.find(setting.name); flag != flags.end()) {
    return Found{flag->second, fmt::format("flag --{}", setting.name)};
  }
  if (setting.may_hold_credentials) {
    auto read = find_in_credential_file(setting, environment);
    if (!read) return std::unexpected(std::move(read.error()));
    std::optional<Found>& found = *read;
    if (found) return *std::move(found);
  }
  if (auto value = look_up(environment, setting.environment)) {
    return Found{*std::move(value), fmt::format("environment {}", setting.environment)};
  }
  if (const auto key = keys.find(setting.name); key != keys.end()) {
    return key->second;
  }
  if (setting.name == "amqp-url") {
    if (const auto host = look_up(environment, kRabbitmqHost)) {
      auto url = url_for_host(*host);
      if (!url) return std::unexpected(std::move(url.error()));
      return Found{*std::move(url), fmt::format("environment {}", kRabbitmqHost)};
    }
  }
  if (setting.name == "expiry-queue") {
    return Found{contract::expiry_queue(earlier.configuration.order_queue), "default"};
  }
  if (setting.name == "read-database-url") {
    const auto database = std::ranges::find(earlier.in_force, "database-url",
                                            [](const auto& one) { return one.setting->name; });
    return Found{database->text, "default"};
  }
  return Found{std::string(setting.default_text), "default"};
}

bool holds_control_character(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

Applied apply(const Setting& setting, const Found& found, Configuration& configuration) {
  auto applied = holds_control_character(found.text)
                     ? Applied(std::unexpected("a control character"))
                     : setting.apply(found.text, configuration);
  if (applied) return {};
  std::string line = fmt::format("{} ({}) takes {}", setting.name, found.source, setting.takes);
  if (!applied.error().empty()) line += fmt::format("; {}", applied.error());
  if (!setting.may_hold_credentials)
    line += fmt::format("; not {}", quoted_for_message(found.text));
  return std::unexpected(std::move(line));
}

// If no database is configured, each partition has a file of its own.
void use_file_of_partition(LoadedConfiguration& loaded) {
  const auto path = fmt::format("inventory-{}.db", kPartitionPlaceholder);
  const auto database = std::ranges::find(loaded.in_force, "database-url",
                                          [](const auto& one) { return one.setting->name; });
  if (database->source != "default") return;
  for (auto& [setting, text, source] : loaded.in_force) {
    if (source != "default" || !setting->name.ends_with("database-url")) continue;
    text = "sqlite:" + path;
    (setting->name == "database-url" ? loaded.configuration.database
                                     : loaded.configuration.read_database) = SqlitePath{path};
  }
}

// If a queue of this name belongs to a request queue: what it is for, in words that the request
// queue's setting follows. All processes use the queues of all partitions.
std::optional<std::string> use_of(std::string_view name, const std::string& request_queue,
                                  const std::optional<Partitions>& partitions) {
  if (name == request_queue) return "";
  if (name == contract::dead_letter_queue(request_queue)) return "the dead-letter queue of ";
  if (name == contract::kept_queue(request_queue)) {
    return "the queue of undelivered replies to ";
  }
  if (!partitions || !name.starts_with(request_queue + '.')) return std::nullopt;
  const std::string_view digits = name.substr(request_queue.size() + 1);
  std::uint32_t number = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (read.ec != std::errc() || number >= partitions->count) return std::nullopt;
  const std::string queue = contract::partition_queue(request_queue, number);
  const std::string reserve = contract::reserve_queue(queue);
  for (const auto& [one, words] :
       {std::pair(queue, "the queue"),
        std::pair(contract::dead_letter_queue(queue), "the dead-letter queue"),
        std::pair(contract::kept_queue(queue), "the queue of undelivered replies"),
        std::pair(reserve, "the router's queue"),
        std::pair(contract::reserve_lock(reserve), "the router's lock")}) {
    if (name == one) return fmt::format("{} for partition {} of ", words, number);
  }
  return std::nullopt;
}

// Checks that need more than one setting.
class TogetherCheck {
 public:
  explicit TogetherCheck(const std::vector<SettingInForce>& in_force) : in_force_(in_force) {}

  // If a request queue, or a queue that belongs to one, were also a queue for anything else, the
  // service would consume its own messages, or take a request for one of another kind. It is enough
  // to compare each name in the settings with the queues that belong to another one: if queues of
  // two settings had the same name, so would one of them and a name in the settings.
  Applied queues(const Configuration& configuration) const {
    for (const QueueSettings& row : queue_settings()) {
      const SettingInForce& one = get(row.queue_setting);
      if ((configuration.*row.queue).empty()) continue;  // switched off: it has no name
      for (const SettingInForce* two : queues_other_than(one)) {
        const auto use = use_of(two->text, one.text, configuration.partitions);
        if (use) return wrong(*two, another_name(*use, one));
      }
      for (const QueueSettings& other : queue_settings()) {
        if (has_reply_queue_of_its_name(other) && !(configuration.*other.queue).empty() &&
            one.text == contract::reply_queue(configuration.*other.queue)) {
          return wrong(one, another_name("the queue of replies to ", get(other.queue_setting)));
        }
      }
    }
    return {};
  }

  // Partitions cannot share an SQLite file: each needs its own.
  Applied partitions(const Configuration& configuration) const {
    const SettingInForce& partition = get("partition");
    for (const auto& [name, database] :
         {std::pair("database-url", &configuration.database),
          std::pair("read-database-url", &configuration.read_database)}) {
      const auto* sqlite = std::get_if<SqlitePath>(database);
      const auto& text = sqlite != nullptr ? sqlite->path : std::get<PostgresUrl>(*database).url;
      const bool has_place = text.find(kPartitionPlaceholder) != std::string::npos;
      const SettingInForce& url = get(name);
      if (has_place && !configuration.partitions) {
        return wrong(url, fmt::format("no {} without a partition ({})", kPartitionPlaceholder,
                                      partition.source));
      }
      if (sqlite != nullptr && !has_place && configuration.partitions &&
          configuration.partitions->count > 1) {
        return wrong(url,
                     fmt::format("a file for each partition ({}): write {} in its name: "
                                 "sqlite:inventory-{}.db",
                                 partition.source, kPartitionPlaceholder, kPartitionPlaceholder));
      }
    }
    for (const QueueSettings& row : queue_settings()) {
      const SettingInForce& queue = get(row.queue_setting);
      if (!configuration.partitions || (configuration.*row.queue).empty()) continue;
      const auto last = contract::partition_queue(queue.text, configuration.partitions->count - 1);
      if (contract::dead_letter_queue(last).size() > contract::kQueueNameBytesMax) {
        return wrong(queue, fmt::format("a shorter name, so that the last partition ({}) has room "
                                        "for its number behind it",
                                        partition.source));
      }
    }
    return {};
  }

  // Unused certificate files would suggest a protection that does not exist.
  Applied tls(const Configuration& configuration) const {
    const SettingInForce& certificate = get("amqp-certificate-file");
    const SettingInForce& key = get("amqp-key-file");
    if (certificate.text.empty() != key.text.empty()) {
      const bool missing_key = key.text.empty();
      return wrong(missing_key ? certificate : key,
                   missing_key ? "amqp-key-file beside it" : "amqp-certificate-file beside it");
    }
    for (const SettingInForce* file : {&get("amqp-ca-file"), &certificate, &key}) {
      if (!configuration.amqp_endpoint.tls && !file->text.empty()) {
        return wrong(*file, fmt::format("an amqp-url ({}) that begins with amqps://",
                                        get("amqp-url").source));
      }
    }
    return {};
  }

 private:
  const SettingInForce& get(std::string_view name) const {
    return *std::ranges::find(in_force_, name, [](const auto& one) { return one.setting->name; });
  }

  // Those that name queues; those of request queues first.
  std::vector<const SettingInForce*> queues_other_than(const SettingInForce& one) const {
    std::vector<const SettingInForce*> others;
    for (const QueueSettings& row : queue_settings()) others.push_back(&get(row.queue_setting));
    for (const QueueSettings& row : queue_settings()) {
      if (row.reply_queue != nullptr) others.push_back(&get(row.reply_queue_setting));
    }
    std::erase(others, &one);
    return others;
  }

  // Expiries get no replies.
  static bool has_reply_queue_of_its_name(const QueueSettings& row) {
    return row.reply_queue == nullptr && row.queue != &Configuration::expiry_queue;
  }

  static std::string another_name(std::string_view use, const SettingInForce& of) {
    return fmt::format("another name than {}{} ({})", use, of.setting->name, of.source);
  }

  static Applied wrong(const SettingInForce& in_force, std::string_view takes) {
    return std::unexpected(
        fmt::format("{} ({}) takes {}", in_force.setting->name, in_force.source, takes));
  }

  const std::vector<SettingInForce>& in_force_;
};

}  // namespace

std::vector<std::string> Configuration::request_queues() const {
  std::vector<std::string> queues;
  for (const QueueSettings& row : queue_settings()) {
    if (const std::string& queue = this->*row.queue; !queue.empty()) queues.push_back(queue);
  }
  return queues;
}

std::expected<SettingsFile, std::string> read_settings_file(const std::string& path,
                                                            std::string_view source) {
  auto text = read_start_of_file(path, kSettingsFileBytesMax + 1);
  if (!text) return unreadable("config", source, path, text.error());
  return SettingsFile{path, *std::move(text)};
}

std::expected<std::string, std::string> read_http_token(const std::string& path) {
  if (path.empty()) return "";
  auto token = read_start_of_file(path, kHttpTokenBytesMax + 3);
  if (token && token->ends_with('\n')) token->pop_back();
  if (token && token->ends_with('\r')) token->pop_back();
  const auto why = !token                               ? token.error()
                   : token->empty()                     ? "it holds none"
                   : token->size() > kHttpTokenBytesMax ? "it holds more"
                   : holds_control_character(*token)    ? "it holds a control character"
                                                        : "";
  if (why.empty()) return token;
  return std::unexpected(fmt::format("{} takes a file with a line of 1 to {} bytes; {}: {}",
                                     kHttpTokenFile, kHttpTokenBytesMax, quoted_for_message(path),
                                     why));
}

std::expected<void, std::string> check_files(const std::vector<SettingInForce>& in_force) {
  for (const auto& [setting, path, source] : in_force) {
    if (!setting->name.ends_with("-file") || path.empty()) continue;
    if (setting->name == kHttpTokenFile) continue;
    const auto text = read_start_of_file(path, 1);
    if (!text) return unreadable(setting->name, source, path, text.error());
  }
  return {};
}

std::expected<LoadedConfiguration, std::string> load_configuration(
    const FlagValues& flags, const EnvironmentLookup& environment,
    const std::optional<SettingsFile>& file) {
  FoundValues keys;
  if (file) {
    auto read = read_keys(*file);
    if (!read) return std::unexpected(std::move(read.error()));
    keys = *std::move(read);
  }
  LoadedConfiguration loaded;
  for (const Setting& setting : settings()) {
    auto found = find_value(setting, flags, environment, keys, loaded);
    if (!found) return std::unexpected(std::move(found.error()));
    if (auto applied = apply(setting, *found, loaded.configuration); !applied) {
      return std::unexpected(std::move(applied.error()));
    }
    loaded.in_force.push_back({&setting, std::move(found->text), std::move(found->source)});
  }
  if (loaded.configuration.partitions) use_file_of_partition(loaded);
  const TogetherCheck check(loaded.in_force);
  for (const Applied& checked :
       {check.queues(loaded.configuration), check.tls(loaded.configuration),
        check.partitions(loaded.configuration)}) {
    if (!checked) return std::unexpected(checked.error());
  }
  return loaded;
}

std::string print_configuration(const std::vector<SettingInForce>& in_force) {
  std::string text;
  for (const auto& [setting, value, source] : in_force) {
    const std::string shown = setting->may_hold_credentials ? mask_credentials(value) : value;
    text += fmt::format("{} = {}  # {}\n", setting->name,
                        setting->is_number ? shown : toml_string(shown), source);
  }
  return text;
}

std::string quoted_for_message(std::string_view text) {
  static constexpr std::size_t kBytesMax = 64;
  std::size_t end = 0;
  while (end < text.size()) {
    const std::size_t size =
        std::max<std::size_t>(terminal::utf8_character_size(text.substr(end)), 1);
    if (end + size > kBytesMax) return toml_string(text.substr(0, end)) + "...";
    end += size;
  }
  return toml_string(text);
}

}  // namespace inventory::config
