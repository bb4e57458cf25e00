#pragma once

// The command `stock`: prints items and their quantities as of one moment; also while the service
// runs.

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
  std::optional<domain::ProductId> product_id;  // 1 to 2^53 - 1; then `after`, `limit` do not count
  domain::ProductId after = 0;
  std::size_t limit = std::numeric_limits<std::size_t>::max();  // items
  bool json = false;
  bool csv = false;  // for a stocktake: see commands/import
};

std::expected<StockOptions, std::string> read_stock(const Arguments& given);

// A row of the file for a stocktake; the column `counted` is empty. The description is escaped, so
// that a spreadsheet sees no formula in it and a terminal no control characters.
std::string csv_line(const store::StoredItem& item);

Command stock_command();

}  // namespace inventory::cli
