#include <iterator>

#include "cli/commands/dead_letters/dead_letters.h"

namespace inventory::cli {
namespace {

using Action = DeadLettersOptions::Action;

template <Action kAction>
Prepared prepare(const Arguments& given, const config::Configuration& configuration) {
  return prepared(read_dead_letters(given, kAction, configuration), dead_letters);
}

Option limit_option() { return {"--limit", "N", "at most so many of a queue"}; }
Option json_option() { return {"--json", "", "a JSON object each, in a line, with all it holds"}; }
Option dry_run_option() { return {"--dry-run", "", "print what it would do, and do nothing"}; }

// Which letters are meant, and the options of one action.
std::vector<Option> options_with(std::vector<Option> more) {
  std::vector<Option> all{
      {"--queue", "QUEUE",
       "the request queue whose dead letters are meant (default all); or one of "
       "replies that were kept, such as order_validate.undelivered"},
      {"--reason", "REASON",
       "only those for this reason: invalid, too-large, refused, undelivered; or, where the broker "
       "has done it, delivery-limit, expired, maxlen, rejected"},
      {"--older-than", "AGE", "only those that failed so long ago: 90s, 5m, 2h, 7d"},
      {"--newer-than", "AGE", "only those that failed since"},
      {"--failed-at", "TIME", "only those whose header failed-at is this"},
      {"--text", "TEXT", "only those with this text in body or error-message"},
      {"--id", "ID", "only those with this message_id or correlation_id"}};
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  return all;
}

Command list() {
  return {.name = "list",
          .summary = "Print what is there: a line each",
          .description = "Exit codes: 0 done; 2 wrong command line or setting; 3 failed.",
          .options = options_with({limit_option(), json_option()}),
          .prepare = prepare<Action::list>};
}

Command show() {
  return {.name = "show",
          .summary = "Print one letter whole: properties, headers, body",
          .description =
              "The first that matches.\n\nExit codes: 0 shown; 1 there is none; 2 wrong "
              "command line or setting; 3 failed.",
          .options = options_with(
              {{"--position", "N", "the one at this position; needs --queue"}, json_option()}),
          .prepare = prepare<Action::show>};
}

Command replay() {
  return {.name = "replay",
          .summary = "Send requests to their queue again",
          .description =
              "A letter is removed when the broker has confirmed its copy. May be interrupted at "
              "any point:\nnothing is lost, and what is sent twice is decided once.\n\n"
              "Exit codes: 0 all that match were replayed; 1 some were left, which is said;\n"
              "2 wrong command line or setting; 3 failed.",
          .options = options_with({limit_option(),
                                   dry_run_option(),
                                   {"--to", "QUEUE", "to this queue instead of the original one"}}),
          .prepare = prepare<Action::replay>};
}

Command purge() {
  return {.name = "purge",
          .summary = "Remove letters for good",
          .description =
              "Asks first.\n\nExit codes: 0 all that match were removed; 1 the answer "
              "was no;\n2 wrong command line or setting; 3 failed.",
          .options = options_with({limit_option(),
                                   dry_run_option(),
                                   {"--yes", "", "do not ask; needed where there is no terminal"}}),
          .prepare = prepare<Action::purge>};
}

}  // namespace

Command dead_letters_command() {
  return {.name = "dead-letters",
          .summary = "Look into the dead-letter queues, and repair by hand",
          .description =
              "Examples:\n  inventory-service dead-letters list --reason invalid --newer-than 2h\n"
              "  inventory-service dead-letters show --queue order_validate --position 3\n"
              "  inventory-service dead-letters replay --text coupon --dry-run\n"
              "  inventory-service dead-letters purge --older-than 30d",
          .actions = {list(), show(), replay(), purge()}};
}

}  // namespace inventory::cli
