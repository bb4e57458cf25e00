#pragma once

// Command line: what the program was asked to do, with the configuration that is in force.
//
//   inventory-service [settings] serve | migrate | verify | add ... | order ... | import ... |
//                               stock ... | dead-letters ...
// Settings may stand before or after the command.

#include <chrono>
#include <cstdint>
#include <expected>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/commands/dead_letters/dead_letter.h"
#include "config/configuration.h"
#include "domain/order.h"

namespace inventory::cli {

struct ServeCommand {};

struct MigrateCommand {
  bool dry_run = false;
};

struct VerifyCommand {};

struct AddCommand {
  domain::Quantity quantity;               // 0 to 2^53 - 1
  std::optional<std::string> description;  // at most 10,000 bytes of UTF-8
  std::chrono::seconds timeout;            // 1 s to 1 h
};

struct OrderCommand {
  domain::OrderId order_id;      // as contract: an integer, or 1 to 128 bytes of UTF-8
  domain::ProductId product_id;  // 1 to 2^53 - 1
  domain::Quantity quantity;     // 1 to 2^53 - 1
  std::chrono::seconds timeout;  // 1 s to 1 h
};

struct DeadLettersCommand {
  enum class Action : std::uint8_t { list, show, replay, purge };

  Action action{};
  std::vector<std::string> request_queues;  // whose dead letters: one or both
  bool kept_replies = false;                // not those, but the replies that were kept; one queue
  DeadLetterFilter filter;
  std::optional<std::size_t> position;  // from 1; then there is one queue
  std::optional<std::size_t> limit;     // letters that match, each queue
  std::optional<std::string> to;        // replay to this queue, 1 to 255 bytes
  bool json = false;
  bool dry_run = false;
  bool yes = false;  // do not ask
};

struct ImportCommand {
  std::string path;  // "-": standard input
  std::string name;  // of the file: a part of each row's identity
  bool skip_bad = false;
  bool dry_run = false;
  std::chrono::seconds timeout;  // 1 s to 1 h without any reply
};

struct StockCommand {
  std::optional<domain::ProductId> product_id;  // 1 to 2^53 - 1; then the rest is without meaning
  domain::ProductId after = 0;
  std::size_t limit = std::numeric_limits<std::size_t>::max();  // items
  bool json = false;
};

struct Invocation {
  config::Configuration configuration;
  std::variant<ServeCommand, MigrateCommand, VerifyCommand, AddCommand, OrderCommand, ImportCommand,
               StockCommand, DeadLettersCommand>
      command;
};

// Exit status of every command.
inline constexpr int kExitDone = 0;
inline constexpr int kExitNo = 1;      // done, and the answer is no: rejected, or something is left
inline constexpr int kExitUsage = 2;   // a wrong command line or setting
inline constexpr int kExitFailed = 3;  // could not be done: no broker, no database, no answer

// Says on standard error why a command could not be done. Returns kExitFailed.
int report_failure(std::string_view why);

// What ends the program at once. Code 0: the text is what was asked for (help, version,
// configuration) and goes to standard output. Otherwise it says what is wrong, to standard error.
struct Exit {
  int code;
  std::string text;  // with its line end
};

// Reads the settings file if one is named, and checks that files named by settings can be read.
// Never throws; a wrong command line or setting is one line.
std::expected<Invocation, Exit> parse_command_line(int argc, const char* const* argv,
                                                   const config::EnvironmentLookup& environment);

// The process's own environment.
std::optional<std::string> process_environment(const std::string& name);

// An order id as a person writes it: an integer within +-(2^53 - 1), if it is spelled as one (42,
// -7; not 007), or else the string. Nothing if it is neither: empty, over 128 bytes, not UTF-8.
std::optional<domain::OrderId> parse_order_id(std::string_view text);

}  // namespace inventory::cli
