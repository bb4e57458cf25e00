#pragma once

// The commands `add` and `order`: one request, as any client of the service sends it.

#include <optional>
#include <string>
#include <string_view>

#include "cli/command_line.h"

namespace inventory::cli {

// They print the reply's JSON to standard output, or say on standard error why there is none.
// Exit status: kExitDone accepted, kExitNo rejected, kExitFailed no answer in time.
int add(const config::Configuration& configuration, const AddCommand& command);
int order(const config::Configuration& configuration, const OrderCommand& command);

// The body of a request to add an item.
std::string item_request(domain::Quantity quantity, const std::optional<std::string>& description);

// Whether a reply says so.
bool is_success(std::string_view reply);

}  // namespace inventory::cli
