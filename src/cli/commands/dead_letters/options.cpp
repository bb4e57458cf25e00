#include "cli/commands/dead_letters/options.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "cli/options.h"
#include "config/partition.h"
#include "contract/queues.h"
#include "contract/timestamp.h"

namespace inventory::cli {
namespace {

using Action = DeadLettersOptions::Action;
using contract::kQueueNameBytesMax;
using Read = std::expected<void, std::string>;

Read read_queues(const Arguments& given, const config::Configuration& configuration,
                 DeadLettersOptions& to) {
  to.request_queues = config::request_queues(configuration);
  const auto queue_given = given.option("--queue");
  if (!queue_given) return {};
  to.named = true;
  std::string names;
  for (const std::string& queue : to.request_queues) {
    to.kept_replies = *queue_given == contract::kept_queue(queue);
    if (to.kept_replies || *queue_given == queue ||
        *queue_given == contract::dead_letter_queue(queue)) {
      to.request_queues = {std::string(queue)};
      return {};
    }
    names += config::quoted_for_message(queue) + ", ";
  }
  return Wrong(fmt::format("--queue takes {}or one of these with .undelivered behind it; not {}",
                           names, config::quoted_for_message(*queue_given)));
}

Read read_age(const Arguments& given, const std::string& flag,
              std::optional<std::chrono::seconds>& to) {
  const auto text = given.option(flag);
  if (!text) return {};
  const auto age = read_duration(flag, *text);
  if (!age) return Wrong(age.error());
  to = *age;
  return {};
}

Read read_count(const Arguments& given, const std::string& flag, std::optional<std::size_t>& to) {
  const auto text = given.option(flag);
  if (!text) return {};
  const auto count =
      read_integer(flag, text, 1, std::int64_t{std::numeric_limits<std::uint32_t>::max()});
  if (!count) return Wrong(count.error());
  to = static_cast<std::size_t>(*count);
  return {};
}

// Spelled as in the header, or as in labels of metrics, with an underscore.
Read read_reason(const Arguments& given, std::optional<std::string>& to) {
  to = given.option("--reason");
  if (!to) return {};
  const std::string reason = *to;
  std::ranges::replace(*to, '_', '-');
  for (const char* known : {"invalid", "too-large", "refused", "undelivered", "delivery-limit",
                            "expired", "maxlen", "rejected"}) {
    if (*to == known) return {};
  }
  return Wrong(
      fmt::format("--reason takes invalid, too-large, refused, undelivered, delivery-limit, "
                  "expired, maxlen or rejected; not {}",
                  config::quoted_for_message(reason)));
}

Read read_filter(const Arguments& given, DeadLetterFilter& to) {
  if (auto read = read_reason(given, to.reason); !read) return read;
  to.text = given.option("--text");
  to.id = given.option("--id");
  if (auto read = read_age(given, "--older-than", to.older_than); !read) return read;
  if (auto read = read_age(given, "--newer-than", to.newer_than); !read) return read;
  const auto time = given.option("--failed-at");
  if (time) to.failed_at = contract::parse_timestamp(*time);
  if (!time || to.failed_at) return {};
  return Wrong(
      fmt::format("--failed-at takes a time as the header failed-at has it, "
                  "2026-11-23T03:00:00.123456+00:00; not {}",
                  config::quoted_for_message(*time)));
}

Read read_rest(const Arguments& given, DeadLettersOptions& to) {
  switch (to.action) {
    case Action::list:
      to.json = given.flag("--json");
      return read_count(given, "--limit", to.limit);
    case Action::show:
      to.json = given.flag("--json");
      to.limit = 1;
      if (given.option("--position") && to.request_queues.size() > 1) {
        return Wrong("--position needs --queue");
      }
      return read_count(given, "--position", to.position);
    case Action::replay:
      to.dry_run = given.flag("--dry-run");
      to.to = given.option("--to");
      if (to.to && (to.to->empty() || to.to->size() > kQueueNameBytesMax)) {
        return Wrong(fmt::format("--to takes a queue's name of 1 to {} bytes", kQueueNameBytesMax));
      }
      return read_count(given, "--limit", to.limit);
    case Action::purge:
      to.dry_run = given.flag("--dry-run");
      to.yes = given.flag("--yes");
      return read_count(given, "--limit", to.limit);
  }
  return {};
}

}  // namespace

std::expected<DeadLettersOptions, std::string> read_dead_letters(
    const Arguments& given, Action action, const config::Configuration& configuration) {
  DeadLettersOptions options;
  options.action = action;
  if (auto read = read_queues(given, configuration, options); !read) return Wrong(read.error());
  if (auto read = read_filter(given, options.filter); !read) return Wrong(read.error());
  if (auto read = read_rest(given, options); !read) return Wrong(read.error());
  return options;
}

}  // namespace inventory::cli
