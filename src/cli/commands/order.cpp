#include "cli/commands/order.h"

#include <string_view>
#include <utility>
#include <variant>

#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <fmt/format.h>

#include "cli/options.h"
#include "cli/request_client.h"
#include "contract/json_object.h"
#include "contract/limits.h"

namespace inventory::cli {
namespace {

using contract::kIntegerMax;
using contract::kOrderIdBytesMax;

std::string json_of(const domain::OrderId& id) {
  const auto* text = std::get_if<std::string>(&id.value());
  if (text == nullptr) return id.display();
  std::string json;
  contract::append_json_string(json, *text);
  return json;
}

int order(const config::Configuration& configuration, const OrderOptions& options) {
  return ask(configuration, configuration.order_queue,
             fmt::format(R"({{"order_id":{},"product_id":{},"quantity":{}}})",
                         json_of(options.order_id), options.product_id, options.quantity),
             options.timeout);
}

}  // namespace

std::expected<OrderOptions, std::string> read_order(const Arguments& given) {
  const auto product = read_integer("--product-id", given.option("--product-id"), 1, kIntegerMax);
  if (!product) return Wrong(product.error());
  const auto quantity = read_integer("--quantity", given.option("--quantity"), 1, kIntegerMax);
  if (!quantity) return Wrong(quantity.error());
  const auto written = given.option("--order-id");
  const std::string text = written ? *written : to_string(boost::uuids::random_generator()());
  auto id = parse_order_id(text);
  if (!id) {
    return Wrong(fmt::format("--order-id takes an integer, or 1 to {} bytes of UTF-8; not {}",
                             kOrderIdBytesMax, config::quoted_for_message(text)));
  }
  const auto timeout = read_timeout(given);
  if (!timeout) return Wrong(timeout.error());
  return OrderOptions{*std::move(id), *product, *quantity, *timeout};
}

Command order_command() {
  return {
      .name = "order",
      .summary = "Place an order, and print the reply",
      .description =
          "Examples:\n  inventory-service order --product-id 1 --quantity 2\n"
          "  inventory-service order --product-id 1 --quantity 2 --order-id 123\n\n"
          "Exit codes: 0 accepted; 1 rejected; 2 wrong command line or setting; 3 no "
          "answer in time.",
      .options = {{"--product-id", "N", fmt::format("from 1 to {}; required", kIntegerMax)},
                  {"--quantity", "N", fmt::format("from 1 to {}; required", kIntegerMax)},
                  {"--order-id", "ID",
                   fmt::format("sent as an integer if it is one (123), otherwise as a string of at "
                               "most {} bytes;\nthe same id is the same order; a new UUID if not "
                               "given",
                               kOrderIdBytesMax)},
                  timeout_option("the reply")},
      .prepare = [](const Arguments& given,
                    const config::Configuration&) { return prepared(read_order(given), order); },
  };
}

}  // namespace inventory::cli
