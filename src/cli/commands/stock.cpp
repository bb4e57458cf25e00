#include "cli/commands/stock.h"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <iterator>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/commands/import/request_file.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/partitions.h"
#include "contract/limits.h"
#include "contract/timestamp.h"
#include "server/item_json.h"
#include "server/open_reader.h"
#include "terminal/printable.h"

namespace inventory::cli {
namespace {

constexpr std::size_t kItemsAtOnce = 1'000;
constexpr std::size_t kBytesAtOnce = 1 << 20;
constexpr std::size_t kItemsOfAPart = 200;  // read at a time from one of several partitions
constexpr std::size_t kBytesOfAPart = 1 << 16;

std::string table_line(const store::StoredItem& item) {
  std::string time(19, ' ');
  if (item.created_at) {
    time = contract::format_timestamp(*item.created_at).substr(0, time.size());
    time[10] = ' ';
  }
  return fmt::format("{:>16}  {:>16}  {:>16}  {}  {}", item.id,
                     item.quantity ? fmt::to_string(*item.quantity) : "-", item.held, time,
                     terminal::printable(item.description.value_or("-")));
}

std::string line_of(const store::StoredItem& item, const StockOptions& options) {
  if (options.csv) return csv_line(item);
  return options.json ? terminal::printable_json(server::item_json(item)) : table_line(item);
}

std::string head_of(const StockOptions& options) {
  return options.csv ? std::string(kStocktakeHead)
                     : fmt::format("{:>16}  {:>16}  {:>16}  {:<19}  {}", "ID", "QUANTITY", "HELD",
                                   "CREATED (UTC)", "DESCRIPTION");
}

// The items of all configured partitions, in the order of ids.
class StockReader {
 public:
  store::Result<void> begin(const config::Configuration& configuration) {
    for (const config::Configuration& one : config::in_each_partition(configuration)) {
      Part& part = parts_.emplace_back();
      part.reader = server::open_reader(one.database, owner_of(one));
      if (auto begun = part.reader->begin(); !begun) return begun;
    }
    return {};
  }

  // At most `count` items, like Reader::items().
  store::Result<std::vector<store::StoredItem>> items(domain::ProductId after, std::size_t count) {
    if (parts_.size() == 1) return parts_.front().reader->items(after, count, kBytesAtOnce);
    std::vector<store::StoredItem> merged;
    while (merged.size() < count) {
      Part* first = nullptr;
      for (Part& part : parts_) {
        if (auto filled = fill(part, after); !filled) return std::unexpected(filled.error());
        if (part.items.empty()) continue;
        if (first == nullptr || part.items.front().id < first->items.front().id) first = &part;
      }
      if (first == nullptr) break;
      after = first->items.front().id;
      merged.push_back(std::move(first->items.front()));
      first->items.pop_front();
    }
    return merged;
  }

 private:
  struct Part {
    std::unique_ptr<store::Reader> reader;
    std::deque<store::StoredItem> items;  // read and not merged yet
    bool is_read = false;
  };

  // Reads the next items of a part if it has none left: all items up to `after` are merged.
  static store::Result<void> fill(Part& part, domain::ProductId after) {
    if (!part.items.empty() || part.is_read) return {};
    auto items = part.reader->items(after, kItemsOfAPart, kBytesOfAPart);
    if (!items) return std::unexpected(std::move(items.error()));
    part.is_read = items->empty();
    std::ranges::move(*items, std::back_inserter(part.items));
    return {};
  }

  std::vector<Part> parts_;
};

// Returns the exit status: kExitDone; kExitNo if there is no such product; kExitFailed without
// database.
int stock(const config::Configuration& configuration, const StockOptions& options) {
  StockReader reader;
  if (const auto begun = reader.begin(configuration); !begun) {
    return report_failure(begun.error().what);
  }
  domain::ProductId after = options.product_id ? *options.product_id - 1 : options.after;
  std::size_t left = options.product_id ? 1 : options.limit;
  bool is_first = true;
  while (left > 0) {
    const std::size_t count = std::min(left, kItemsAtOnce);
    const auto items = reader.items(after, count);
    if (!items) return report_failure(items.error().what);
    for (const store::StoredItem& item : *items) {
      if (options.product_id && item.id != *options.product_id) break;
      if (is_first && !options.json) fmt::print("{}\n", head_of(options));
      is_first = false;
      if (const auto odd = server::unreadable(item); !odd.empty()) {
        fmt::print(stderr, "inventory-service: {}\n", odd);
      }
      fmt::print("{}\n", line_of(item, options));
    }
    if (items->empty()) break;
    left -= items->size();
    after = items->back().id;
  }
  if (options.product_id && is_first) {
    fmt::print(stderr, "inventory-service: there is no product {}\n", *options.product_id);
    return kExitNo;
  }
  return kExitDone;
}

std::vector<domain::ProductId> stock_products(const StockOptions& options) {
  if (!options.product_id) return {};
  return {*options.product_id};
}

Prepared prepare_stock(const Arguments& given, const config::Configuration& configuration) {
  auto options = read_stock(given);
  if (options && options->product_id) {
    return prepared_for(std::move(options), configuration, stock_products, stock);
  }
  return prepared(std::move(options), stock);
}

}  // namespace

std::string csv_line(const store::StoredItem& item) {
  static constexpr std::string_view kBeginFormulas = "=+-@";
  std::string description = terminal::printable(item.description.value_or(""));
  // Some spreadsheets ignore spaces before a formula.
  const std::size_t begin = description.find_first_not_of(' ');
  if (begin != std::string::npos && kBeginFormulas.contains(description[begin])) {
    description.insert(0, 1, '\'');
  }
  std::string quoted;
  for (const char byte : description) quoted.append(byte == '"' ? 2 : 1, byte);
  return fmt::format("{},\"{}\",{},{},{},", item.id, quoted, item.held, item.version,
                     item.quantity ? fmt::to_string(*item.quantity) : "");
}

std::expected<StockOptions, std::string> read_stock(const Arguments& given) {
  StockOptions options;
  options.json = given.flag("--json");
  options.csv = given.flag("--csv");
  if (options.json && options.csv) return Wrong("--json and --csv: give either");
  for (const auto& [flag, min] :
       {std::pair("--product-id", 1), std::pair("--after", 0), std::pair("--limit", 1)}) {
    const auto text = given.option(flag);
    if (!text) continue;
    const auto number = read_integer(flag, text, min, contract::kIntegerMax);
    if (!number) return Wrong(number.error());
    if (std::string_view(flag) == "--product-id") options.product_id = *number;
    if (std::string_view(flag) == "--after") options.after = *number;
    if (std::string_view(flag) == "--limit") options.limit = static_cast<std::size_t>(*number);
  }
  return options;
}

Command stock_command() {
  return {
      .name = "stock",
      .summary = "Print the items and their stock",
      .description =
          "Reads the database. Changes nothing, and may run while a service runs, or on a\n"
          "standby.\n\n"
          "Examples:\n"
          "  inventory-service stock --product-id 1\n"
          "  inventory-service stock --json --after 100 --limit 50\n"
          "  inventory-service stock --csv > stock.csv   for a stocktake: fill in the column "
          "counted, and import it\n\n"
          "Exit codes: 0 printed; 1 there is no such product; 2 wrong command line or setting; 3\n"
          "failed.",
      .options = {{"--product-id", "N", "only this product"},
                  {"--after", "N", "only items with a higher id"},
                  {"--limit", "N", "at most this many items"},
                  {"--json", "", "a JSON object in each line"},
                  {"--csv", "", "a CSV file for a stocktake, which import reads"}},
      .prepare = prepare_stock,
  };
}

}  // namespace inventory::cli
