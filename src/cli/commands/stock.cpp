#include "cli/commands/stock.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "contract/timestamp.h"
#include "server/item_json.h"
#include "server/open_reader.h"
#include "terminal/printable.h"

namespace inventory::cli {
namespace {

constexpr std::size_t kItemsAtOnce = 1'000;
constexpr std::size_t kBytesAtOnce = 1 << 20;

std::string table_line(const store::StoredItem& item) {
  std::string time(19, ' ');
  if (item.created_at) {
    time = contract::format_timestamp(*item.created_at).substr(0, time.size());
    time[10] = ' ';
  }
  return fmt::format("{:>16}  {:>16}  {}  {}", item.id, item.quantity, time,
                     terminal::printable(item.description.value_or("-")));
}

}  // namespace

int stock(const config::Configuration& configuration, const StockCommand& command) {
  const auto reader = server::open_reader(configuration.database);
  if (const auto begun = reader->begin(); !begun) return report_failure(begun.error().what);
  domain::ProductId after = command.product_id ? *command.product_id - 1 : command.after;
  std::size_t left = command.product_id ? 1 : command.limit;
  bool is_first = true;
  while (left > 0) {
    const std::size_t count = std::min(left, kItemsAtOnce);
    const auto items = reader->items(after, count, kBytesAtOnce);
    if (!items) return report_failure(items.error().what);
    for (const store::StoredItem& item : *items) {
      if (command.product_id && item.id != *command.product_id) break;
      if (is_first && !command.json) {
        fmt::print("{:>16}  {:>16}  {:<19}  {}\n", "ID", "QUANTITY", "CREATED (UTC)",
                   "DESCRIPTION");
      }
      is_first = false;
      if (const auto odd = server::unreadable(item); !odd.empty()) {
        fmt::print(stderr, "inventory-service: {}\n", odd);
      }
      fmt::print("{}\n", command.json ? terminal::printable_json(server::item_json(item))
                                      : table_line(item));
    }
    if (items->empty()) break;
    left -= items->size();
    after = items->back().id;
  }
  if (command.product_id && is_first) {
    fmt::print(stderr, "inventory-service: there is no product {}\n", *command.product_id);
    return kExitNo;
  }
  return kExitDone;
}

}  // namespace inventory::cli
