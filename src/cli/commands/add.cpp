#include "cli/commands/add.h"

#include <utility>

#include <fmt/format.h>

#include "cli/options.h"
#include "cli/request_client.h"
#include "contract/json_object.h"
#include "contract/limits.h"
#include "terminal/utf8.h"

namespace inventory::cli {
namespace {

using contract::kDescriptionBytesMax;

int add(const config::Configuration& configuration, const AddOptions& options) {
  return ask(configuration, configuration.item_queue,
             item_request(options.quantity, options.description), options.timeout);
}

}  // namespace

std::expected<AddOptions, std::string> read_add(const Arguments& given) {
  const auto quantity =
      read_integer("--quantity", given.option("--quantity"), 0, contract::kIntegerMax);
  if (!quantity) return Wrong(quantity.error());
  auto description = given.option("--description");
  if (description &&
      (description->size() > kDescriptionBytesMax || !terminal::is_utf8(*description))) {
    return Wrong(
        fmt::format("--description takes at most {} bytes of UTF-8", kDescriptionBytesMax));
  }
  const auto timeout = read_timeout(given);
  if (!timeout) return Wrong(timeout.error());
  return AddOptions{*quantity, std::move(description), *timeout};
}

Command add_command() {
  return {
      .name = "add",
      .summary = "Ask for an item to be added, and print the reply",
      .description =
          "Example:\n  inventory-service add --quantity 10 --description \"Blue T-shirt, size "
          "M\"\n\n"
          "Exit codes: 0 added; 1 rejected; 2 wrong command line or setting; 3 no answer in time.",
      .options = {{"--quantity", "N",
                   fmt::format("stock of the item, from 0 to {}; required", contract::kIntegerMax)},
                  {"--description", "TEXT",
                   fmt::format("of the item, at most {} bytes", kDescriptionBytesMax)},
                  timeout_option("the reply")},
      .prepare = [](const Arguments& given,
                    const config::Configuration&) { return prepared(read_add(given), add); },
  };
}

std::string item_request(domain::Quantity quantity, const std::optional<std::string>& description) {
  auto body = fmt::format(R"({{"quantity":{})", quantity);
  if (description) {
    body += R"(,"description":)";
    contract::append_json_string(body, *description);
  }
  return body + "}";
}

}  // namespace inventory::cli
