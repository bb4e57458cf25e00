#pragma once

// The options of `dead-letters`.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/commands/dead_letters/dead_letter.h"
#include "config/configuration.h"

namespace inventory::cli {

struct DeadLettersOptions {
  enum class Action : std::uint8_t { list, show, replay, purge };

  Action action{};
  std::vector<std::string> request_queues;  // whose dead letters
  bool named = false;                       // there is one queue, given by name
  bool kept_replies = false;                // kept replies instead of dead letters; one queue
  DeadLetterFilter filter;
  std::optional<std::size_t> position;  // from 1; then there is one queue
  std::optional<std::size_t> limit;     // of matching letters, for each queue
  std::optional<std::string> to;        // replay to this queue, 1 to 255 bytes
  bool json = false;
  bool dry_run = false;
  bool yes = false;  // do not ask
};

// The error is a line for the user.
std::expected<DeadLettersOptions, std::string> read_dead_letters(
    const Arguments& given, DeadLettersOptions::Action action,
    const config::Configuration& configuration);

}  // namespace inventory::cli
