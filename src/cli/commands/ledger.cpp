#include "cli/commands/ledger.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/partitions.h"
#include "contract/limits.h"
#include "contract/timestamp.h"
#include "server/open_reader.h"
#include "terminal/printable.h"

namespace inventory::cli {
namespace {

constexpr std::size_t kEntriesAtOnce = 1'000;
constexpr std::size_t kTimeColumns = 19;     // 2026-11-23 03:00:00
constexpr std::size_t kKindColumns = 12;     // cancellation
constexpr std::size_t kOutcomeColumns = 20;  // most of them
constexpr std::size_t kIdColumns = 36;       // a UUID, but for its quotes

std::string moment_text(const std::optional<domain::Timestamp>& time) {
  if (!time) return "-";
  std::string text = contract::format_timestamp(*time).substr(0, kTimeColumns);
  text[kTimeColumns - 8 - 1] = ' ';
  return text;
}

std::string number_text(const std::optional<std::int64_t>& number) {
  return number ? fmt::to_string(*number) : "-";
}

// "A-17" in quotes, 42 without, because 42 and "42" are different ids.
std::string id_text(const std::optional<domain::OrderId>& id,
                    const std::optional<domain::OrderId>& line) {
  if (!id) return "-";
  std::string text = server::id_json(id);
  if (line) text += " line " + server::id_json(line);
  return terminal::printable_json(text);
}

std::string id_text(const store::StoredEntry& entry) {
  const auto name = server::name_of(entry);
  return name.kind == domain::EntryKind::correction ? terminal::printable(entry.identity)
                                                    : id_text(name.id, name.line);
}

std::string outcome_text(const store::StoredEntry& entry) {
  if (entry.outcome == "brought_forward") return "brought forward";
  const auto outcome = domain::find_outcome(entry.outcome);
  return outcome ? std::string(domain::row_of(*outcome).text) : terminal::printable(entry.outcome);
}

int no_entries(const LedgerOptions& options) {
  fmt::print(stderr, "inventory-service: there is no entry of {}product {}{}\n",
             options.search.ids.empty() ? "" : "this order of ", options.search.product,
             options.before.time ? " before that" : "");
  return kExitNo;
}

void say_there_are_more(const LedgerOptions& options, const store::EntryPlace& last) {
  fmt::print(options.json ? stderr : stdout, "{}there are older entries: --before {}\n",
             options.json ? "inventory-service: " : "", server::place_text(last));
}

int print_product(store::Reader& reader, const LedgerOptions& options) {
  store::EntryPlace before = options.before;
  bool is_first = true;
  for (std::size_t left = options.limit; left > 0;) {
    const std::size_t count = std::min(left, kEntriesAtOnce);
    // Reads one more than is printed, to know whether there are more.
    auto entries = reader.entries(options.search.product, before, count + 1);
    if (!entries) return report_failure(entries.error().what);
    const bool has_more = entries->size() > count;
    if (has_more) entries->pop_back();
    if (entries->empty()) break;
    if (is_first && !options.json) fmt::print("{}\n", ledger_head());
    is_first = false;
    for (const store::StoredEntry& entry : *entries) {
      fmt::print("{}\n", options.json ? terminal::printable_json(server::entry_json(entry))
                                      : ledger_line(entry));
    }
    before = entries->back().place;
    left -= entries->size();
    if (!has_more) break;
    if (left == 0) say_there_are_more(options, before);
  }
  return is_first ? no_entries(options) : kExitDone;
}

int print_order(store::Reader& reader, const LedgerOptions& options) {
  auto entries = reader.entries_of_order(options.search);
  if (!entries) return report_failure(entries.error().what);
  const auto stories = server::stories_of(*std::move(entries));
  if (stories.empty()) return no_entries(options);
  for (const server::OrderStory& story : stories) {
    if (options.json) {
      fmt::print("{}\n", terminal::printable_json(server::story_json(story)));
      continue;
    }
    fmt::print("{}{}\n{}\n", &story == &stories.front() ? "" : "\n", story_line(story),
               ledger_head());
    for (const store::StoredEntry& entry : story.entries) fmt::print("{}\n", ledger_line(entry));
  }
  return kExitDone;
}

// Returns the exit status: kExitDone; kExitNo if there is no such entry; kExitFailed without
// database.
int ledger(const config::Configuration& configuration, const LedgerOptions& options) {
  const auto reader = server::open_reader(configuration.database, owner_of(configuration));
  if (const auto begun = reader->begin(); !begun) return report_failure(begun.error().what);
  return options.search.ids.empty() ? print_product(*reader, options)
                                    : print_order(*reader, options);
}

std::vector<domain::ProductId> ledger_products(const LedgerOptions& options) {
  return {options.search.product};
}

// The ids that an option may mean; none if it is not given.
std::expected<std::vector<domain::OrderId>, std::string> read_ids(const Arguments& given,
                                                                  const std::string& flag) {
  const auto text = given.option(flag);
  if (!text) return std::vector<domain::OrderId>();
  if (const auto id = read_id(flag, *text); !id) return Wrong(id.error());
  return server::possible_ids(*text);
}

}  // namespace

std::string ledger_head() {
  return fmt::format("{:<{}}  {:<{}}  {:<{}}  {:>9}  {:>9}  {:>9}  {:<{}}  REASON", "TIME (UTC)",
                     kTimeColumns, "KIND", kKindColumns, "OUTCOME", kOutcomeColumns, "QUANTITY",
                     "DELTA", "LEFT", "ID", kIdColumns);
}

std::string ledger_line(const store::StoredEntry& entry) {
  return fmt::format("{}  {}  {}  {:>9}  {:>9}  {:>9}  {}  {}",
                     terminal::padded(moment_text(entry.decided_at), kTimeColumns),
                     terminal::padded(domain::word_of(server::name_of(entry).kind), kKindColumns),
                     terminal::padded(outcome_text(entry), kOutcomeColumns),
                     number_text(entry.quantity), number_text(entry.delta),
                     number_text(entry.quantity_after),
                     terminal::padded(id_text(entry), kIdColumns),
                     terminal::printable(entry.reason.value_or("-")));
}

std::string story_line(const server::OrderStory& story) {
  std::string line = fmt::format("order {}: {}", id_text(story.name.id, story.name.line),
                                 terminal::printable(story.state));
  if (story.held > 0)
    line += fmt::format(", {} until {}", story.held, moment_text(story.held_until));
  return line;
}

std::expected<LedgerOptions, std::string> read_ledger(const Arguments& given) {
  LedgerOptions options;
  options.json = given.flag("--json");
  const auto product =
      read_integer("--product-id", given.option("--product-id"), 1, contract::kIntegerMax);
  if (!product) return Wrong(product.error());
  auto ids = read_ids(given, "--order-id");
  if (!ids) return Wrong(ids.error());
  auto lines = read_ids(given, "--line-id");
  if (!lines) return Wrong(lines.error());
  if (ids->empty() && !lines->empty()) return Wrong("--line-id goes with --order-id");
  options.search = {.product = *product, .ids = *std::move(ids), .lines = *std::move(lines)};
  const auto before = given.option("--before");
  const auto limit = read_optional_integer(given, "--limit", 1, contract::kIntegerMax);
  if (!limit) return Wrong(limit.error());
  if (!options.search.ids.empty() && (before || *limit)) {
    return Wrong("of an order all entries are printed: --before and --limit go without --order-id");
  }
  if (const auto& count = *limit) options.limit = static_cast<std::size_t>(*count);
  if (before) {
    auto place = server::read_place(*before);
    if (!place) return Wrong("--before takes what an earlier page ended with");
    options.before = *std::move(place);
  }
  return options;
}

Command ledger_command() {
  return {
      .name = "ledger",
      .summary = "Print what became of a product, or of an order, the newest first",
      .description =
          "Prints each decision with the id that its sender gave (42 is a number, \"42\" is a\n"
          "string), the change of stock, and the stock after it. With --order-id, prints only the\n"
          "decisions about that order, with all of its lines, and for each line whether it is\n"
          "held, and until when. Changes nothing, and may run while a service runs, or on a\n"
          "standby.\n\n"
          "Examples:\n"
          "  inventory-service ledger --product-id 1\n"
          "  inventory-service ledger --product-id 1 --order-id A-17 --json\n\n"
          "Exit codes: 0 printed; 1 there is no such entry; 2 wrong command line or setting; 3\n"
          "failed.",
      .options = {{"--product-id", "N", "the product; required"},
                  {"--order-id", "ID", "only this order, whether its id is a number or a string"},
                  {"--line-id", "ID", "only this line of the order"},
                  {"--limit", "N", "at most this many entries (default: 100)"},
                  {"--before", "PLACE",
                   "only older entries, from a place that an earlier run printed"},
                  {"--json", "",
                   "a JSON object in each line of output; with --order-id, one for each line of "
                   "the order"}},
      .prepare =
          [](const Arguments& given, const config::Configuration& configuration) {
            return prepared_for(read_ledger(given), configuration, ledger_products, ledger);
          },
  };
}

}  // namespace inventory::cli
