#pragma once

// The command `order`: places an order, as any client of the service does.

#include <chrono>
#include <expected>
#include <string>

#include "cli/arguments.h"
#include "cli/command.h"
#include "domain/order.h"

namespace inventory::cli {

struct OrderOptions {
  domain::OrderId order_id;      // as contract: an integer, or 1 to 128 bytes of UTF-8
  domain::ProductId product_id;  // 1 to 2^53 - 1
  domain::Quantity quantity;     // 1 to 2^53 - 1
  std::chrono::seconds timeout;  // 1 s to 1 h
};

std::expected<OrderOptions, std::string> read_order(const Arguments& given);

Command order_command();

}  // namespace inventory::cli
