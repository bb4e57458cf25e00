#include <iterator>

#include "cli/commands/dead_letters/dead_letters.h"

namespace inventory::cli {
namespace {

using Action = DeadLettersOptions::Action;

template <Action kAction>
Prepared prepare(const Arguments& given, const config::Configuration& configuration) {
  return prepared(read_dead_letters(given, kAction, configuration), dead_letters);
}

Option limit_option() { return {"--limit", "N", "at most this many letters of each queue"}; }
Option json_option() {
  return {"--json", "", "a JSON object in each line, with everything that the letter has"};
}
Option dry_run_option() { return {"--dry-run", "", "print what it would do, and change nothing"}; }

// The options that select letters, and those of one action.
std::vector<Option> options_with(std::vector<Option> more) {
  std::vector<Option> all{
      {"--queue", "QUEUE",
       "only dead letters of this request queue (default: all);\nor a queue of "
       "replies that were kept, such as order_validate.undelivered"},
      {"--reason", "REASON",
       "only letters with this reason: invalid, too-large, refused, undelivered;\n"
       "or, if the broker dead-lettered them, delivery-limit, expired, maxlen, rejected"},
      {"--older-than", "AGE", "only letters that failed longer ago than this: 90s, 5m, 2h, 7d"},
      {"--newer-than", "AGE", "only letters that failed less long ago than this"},
      {"--failed-at", "TIME", "only letters with this header failed-at"},
      {"--text", "TEXT", "only letters with this text in the body or in error-message"},
      {"--id", "ID", "only letters with this message_id or correlation_id"}};
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  return all;
}

Command list() {
  return {.name = "list",
          .summary = "Print the letters, one in each line",
          .description = "Exit codes: 0 done; 2 wrong command line or setting; 3 failed.",
          .options = options_with({limit_option(), json_option()}),
          .prepare = prepare<Action::list>};
}

Command show() {
  return {
      .name = "show",
      .summary = "Print one letter in full: properties, headers, body",
      .description =
          "Prints the first letter that matches.\n\nExit codes: 0 shown; 1 there is none; 2 wrong "
          "command line or setting; 3 failed.",
      .options = options_with(
          {{"--position", "N", "the letter at this position; needs --queue"}, json_option()}),
      .prepare = prepare<Action::show>};
}

Command replay() {
  return {.name = "replay",
          .summary = "Send the requests to their queue again",
          .description =
              "A letter is removed when the broker has confirmed its copy. You may interrupt the "
              "command:\nnothing is lost, and a request that is sent twice is decided once.\n\n"
              "Exit codes: 0 all that match were replayed; 1 some were left, with the reason;\n"
              "2 wrong command line or setting; 3 failed.",
          .options = options_with(
              {limit_option(),
               dry_run_option(),
               {"--to", "QUEUE", "send them to this queue instead of the original one"}}),
          .prepare = prepare<Action::replay>};
}

Command purge() {
  return {.name = "purge",
          .summary = "Delete letters",
          .description =
              "Asks for confirmation first.\n\n"
              "Exit codes: 0 all that match were deleted; 1 you answered no, or some are left;\n"
              "2 wrong command line or setting; 3 failed.",
          .options = options_with({limit_option(),
                                   dry_run_option(),
                                   {"--yes", "", "do not ask; required if there is no terminal"}}),
          .prepare = prepare<Action::purge>};
}

}  // namespace

Command dead_letters_command() {
  return {.name = "dead-letters",
          .summary = "List, show, replay and purge dead letters",
          .description =
              "Examples:\n  inventory-service dead-letters list --reason invalid --newer-than 2h\n"
              "  inventory-service dead-letters show --queue order_validate --position 3\n"
              "  inventory-service dead-letters replay --text coupon --dry-run\n"
              "  inventory-service dead-letters purge --older-than 30d",
          .actions = {list(), show(), replay(), purge()}};
}

}  // namespace inventory::cli
