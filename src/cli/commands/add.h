#pragma once

// The command `add`: asks for an item to be added, as any client of the service does.

#include <chrono>
#include <expected>
#include <optional>
#include <string>

#include "cli/arguments.h"
#include "cli/command.h"
#include "domain/order.h"

namespace inventory::cli {

struct AddOptions {
  domain::Quantity quantity;                    // 0 to 2^53 - 1
  std::optional<std::string> description;       // at most 10,000 bytes of UTF-8
  std::optional<domain::ProductId> product_id;  // 1 to domain::kChosenIdMax
  std::optional<domain::Quantity> low_stock;    // 0 to 2^53 - 1
  std::chrono::seconds timeout;                 // 1 s to 1 h
};

std::expected<AddOptions, std::string> read_add(const Arguments& given);

Command add_command();

// The body of a request to add an item.
std::string item_request(const AddOptions& item);

}  // namespace inventory::cli
