#pragma once

// The command `stock`: prints items and what is left of them, as the database has them at one
// moment; beside a running service, too.

#include <cstddef>
#include <expected>
#include <limits>
#include <optional>
#include <string>

#include "cli/arguments.h"
#include "cli/command.h"
#include "domain/order.h"
#include "store/reader.h"

namespace inventory::cli {

struct StockOptions {
  std::optional<domain::ProductId> product_id;  // 1 to 2^53 - 1; then the rest is without meaning
  domain::ProductId after = 0;
  std::size_t limit = std::numeric_limits<std::size_t>::max();  // items
  bool json = false;
  bool csv = false;  // for a stocktake: see import
};

std::expected<StockOptions, std::string> read_stock(const Arguments& given);

// A row of the file that a stocktake is made with; the column `counted` is empty. What the
// description holds is no formula to a spreadsheet, and nothing that a terminal obeys.
std::string csv_line(const store::StoredItem& item);

Command stock_command();

}  // namespace inventory::cli
