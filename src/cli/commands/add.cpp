#include "cli/commands/add.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "cli/options.h"
#include "cli/partitions.h"
#include "cli/request_client.h"
#include "contract/item_message.h"
#include "contract/json_object.h"
#include "contract/limits.h"
#include "contract/queues.h"
#include "domain/item.h"
#include "terminal/utf8.h"

namespace inventory::cli {
namespace {

using contract::kDescriptionBytesMax;

int add(const config::Configuration& configuration, const AddOptions& options) {
  return ask(configuration, new_request(configuration.item_queue, item_request(options)),
             options.timeout);
}

std::vector<domain::ProductId> added_products(const AddOptions& options) {
  return options.product_id ? std::vector{*options.product_id} : std::vector<domain::ProductId>();
}

Prepared prepare_add(const Arguments& given, const config::Configuration& configuration) {
  auto options = read_add(given);
  const auto& partitions = configuration.partitions;
  if (!options || options->product_id || !partitions || partitions->number) {
    return prepared_for(std::move(options), configuration, added_products, add);
  }
  auto request = new_request(configuration.item_queue, item_request(*options));
  const auto number = contract::item_partition(request.id, std::nullopt, partitions->count);
  request.queue = contract::partition_queue(request.queue, number.value_or(0));
  return [request = std::move(request), timeout = options->timeout](
             const config::Configuration& in_force) { return ask(in_force, request, timeout); };
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
  const auto product = read_optional_integer(given, "--product-id", 1, domain::kChosenIdMax);
  if (!product) return Wrong(product.error());
  const auto low_stock = read_optional_integer(given, "--low-stock", 0, contract::kIntegerMax);
  if (!low_stock) return Wrong(low_stock.error());
  const auto timeout = read_timeout(given);
  if (!timeout) return Wrong(timeout.error());
  return AddOptions{.quantity = *quantity,
                    .description = std::move(description),
                    .product_id = *product,
                    .low_stock = *low_stock,
                    .timeout = *timeout};
}

Command add_command() {
  return {
      .name = "add",
      .summary = "Add an item, and print the reply",
      .description =
          "Example:\n"
          "  inventory-service add --quantity 10 --description \"Blue T-shirt, size M\"\n\n"
          "Exit codes: 0 added; 1 rejected; 2 wrong command line or setting; 3 no answer in time.",
      .options = {{"--quantity", "N",
                   fmt::format("stock of the item, from 0 to {}; required", contract::kIntegerMax)},
                  {"--description", "TEXT",
                   fmt::format("description of the item, at most {} bytes", kDescriptionBytesMax)},
                  {"--product-id", "N", "the item's id; chosen by the service if not given"},
                  {"--low-stock", "N", "at and below this quantity, the stock is called low"},
                  timeout_option("the reply")},
      .prepare = prepare_add,
  };
}

std::string item_request(const AddOptions& item) {
  auto body = fmt::format(R"({{"quantity":{})", item.quantity);
  if (item.description) {
    body += R"(,"description":)";
    contract::append_json_string(body, *item.description);
  }
  if (item.product_id) body += fmt::format(R"(,"product_id":{})", *item.product_id);
  if (item.low_stock) body += fmt::format(R"(,"low_stock":{})", *item.low_stock);
  return body + "}";
}

}  // namespace inventory::cli
