#pragma once

// The command `adjust`: changes or sets the stock of a product, as any client of the service does.

#include <chrono>
#include <expected>
#include <string>
#include <string_view>

#include "cli/arguments.h"
#include "cli/command.h"
#include "domain/adjustment.h"

namespace inventory::cli {

struct AdjustOptions {
  domain::Adjustment adjustment;
  std::chrono::seconds timeout;  // 1 s to 1 h
};

std::expected<AdjustOptions, std::string> read_adjust(const Arguments& given);

Command adjust_command();

// These two check a text; `name` stands for it in the error. A change may begin with a plus, and is
// not 0.
std::expected<domain::Quantity, std::string> read_change(const std::string& name,
                                                         std::string_view text);
std::expected<std::string, std::string> read_adjustment_reason(const std::string& name,
                                                               std::string text);

// The body of a request for an adjustment.
std::string adjustment_request(const domain::Adjustment& adjustment);

}  // namespace inventory::cli
