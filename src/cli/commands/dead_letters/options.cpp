#include "cli/commands/dead_letters/options.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "cli/options.h"
#include "contract/queues.h"

namespace inventory::cli {
namespace {

using Action = DeadLettersCommand::Action;
using contract::kQueueNameBytesMax;
using Read = std::expected<void, std::string>;

Action action_of(std::string_view command) {
  if (command == "dead-letters list") return Action::list;
  if (command == "dead-letters show") return Action::show;
  return command == "dead-letters replay" ? Action::replay : Action::purge;
}

Read read_queues(const Arguments& arguments, const config::Configuration& configuration,
                 DeadLettersCommand& to) {
  to.request_queues = {configuration.order_queue, configuration.item_queue};
  const auto given = arguments.option("--queue");
  if (!given) return {};
  for (const std::string& queue : to.request_queues) {
    if (*given == queue || *given == contract::dead_letter_queue(queue)) {
      to.request_queues = {std::string(queue)};
      return {};
    }
    if (*given == contract::kept_queue(queue)) {
      to.request_queues = {std::string(queue)};
      to.kept_replies = true;
      return {};
    }
  }
  return Wrong(fmt::format(
      "--queue takes {} or {}, or one of these with .undelivered behind it; not {}",
      config::quoted_for_message(configuration.order_queue),
      config::quoted_for_message(configuration.item_queue), config::quoted_for_message(*given)));
}

Read read_age(const Arguments& arguments, const std::string& flag,
              std::optional<std::chrono::seconds>& to) {
  const auto text = arguments.option(flag);
  if (!text) return {};
  const auto age = read_duration(flag, *text);
  if (!age) return Wrong(age.error());
  to = *age;
  return {};
}

Read read_count(const Arguments& arguments, const std::string& flag,
                std::optional<std::size_t>& to) {
  const auto text = arguments.option(flag);
  if (!text) return {};
  const auto count =
      read_integer(flag, text, 1, std::int64_t{std::numeric_limits<std::uint32_t>::max()});
  if (!count) return Wrong(count.error());
  to = static_cast<std::size_t>(*count);
  return {};
}

// As the header has it, or as labels of metrics do: with an underscore.
Read read_reason(const Arguments& arguments, std::optional<std::string>& to) {
  to = arguments.option("--reason");
  if (!to) return {};
  const std::string given = *to;
  std::ranges::replace(*to, '_', '-');
  for (const char* reason : {"invalid", "too-large", "refused", "undelivered", "delivery-limit",
                             "expired", "maxlen", "rejected"}) {
    if (*to == reason) return {};
  }
  return Wrong(
      fmt::format("--reason takes invalid, too-large, refused, undelivered, delivery-limit, "
                  "expired, maxlen or rejected; not {}",
                  config::quoted_for_message(given)));
}

Read read_filter(const Arguments& arguments, DeadLetterFilter& to) {
  if (auto read = read_reason(arguments, to.reason); !read) return read;
  to.text = arguments.option("--text");
  to.id = arguments.option("--id");
  if (auto read = read_age(arguments, "--older-than", to.older_than); !read) return read;
  return read_age(arguments, "--newer-than", to.newer_than);
}

Read read_rest(const Arguments& arguments, DeadLettersCommand& to) {
  switch (to.action) {
    case Action::list:
      to.json = arguments.flag("--json");
      return read_count(arguments, "--limit", to.limit);
    case Action::show:
      to.json = arguments.flag("--json");
      to.limit = 1;
      if (arguments.option("--position") && to.request_queues.size() > 1) {
        return Wrong("--position needs --queue");
      }
      return read_count(arguments, "--position", to.position);
    case Action::replay:
      to.dry_run = arguments.flag("--dry-run");
      to.to = arguments.option("--to");
      if (to.to && (to.to->empty() || to.to->size() > kQueueNameBytesMax)) {
        return Wrong(fmt::format("--to takes a queue's name of 1 to {} bytes", kQueueNameBytesMax));
      }
      return read_count(arguments, "--limit", to.limit);
    case Action::purge:
      to.dry_run = arguments.flag("--dry-run");
      to.yes = arguments.flag("--yes");
      return read_count(arguments, "--limit", to.limit);
  }
  return {};
}

}  // namespace

std::expected<DeadLettersCommand, std::string> read_dead_letters(
    const Arguments& arguments, const config::Configuration& configuration) {
  DeadLettersCommand command;
  command.action = action_of(arguments.command());
  if (auto read = read_queues(arguments, configuration, command); !read) return Wrong(read.error());
  if (auto read = read_filter(arguments, command.filter); !read) return Wrong(read.error());
  if (auto read = read_rest(arguments, command); !read) return Wrong(read.error());
  return command;
}

}  // namespace inventory::cli
