#include "cli/commands/order.h"

#include "cli/commands/order_request.h"
#include "cli/partitions.h"
#include "cli/request_client.h"

namespace inventory::cli {
namespace {

int order(const config::Configuration& configuration, const OrderRequest& request) {
  return ask(configuration, same_request(configuration.order_queue, body_of(request)),
             request.timeout);
}

}  // namespace

Command order_command() {
  return {
      .name = "order",
      .summary = "Place an order, and print the reply",
      .description =
          "An order of several items is accepted as a whole or not at all. With --hold the stock\n"
          "is taken for a time: unless the order is confirmed in time, the stock is given back.\n\n"
          "Examples:\n"
          "  inventory-service order --product-id 1 --quantity 2\n"
          "  inventory-service order --product-id 1 --quantity 2 --order-id 123\n"
          "  inventory-service order --order-id A-17 --item 1:2 --item 5:1\n"
          "  inventory-service order --order-id A-18 --product-id 1 --quantity 2 --hold 15m\n\n"
          "Exit codes: 0 accepted; 1 rejected; 2 wrong command line or setting; 3 no answer in\n"
          "time.",
      .options = order_request_options(Quantities::required),
      .prepare =
          [](const Arguments& given, const config::Configuration& configuration) {
            return prepared_for(read_order_request(given, Quantities::required), configuration,
                                ordered_products, order);
          },
  };
}

}  // namespace inventory::cli
