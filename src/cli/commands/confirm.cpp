#include "cli/commands/confirm.h"

#include "cli/commands/order_request.h"
#include "cli/options.h"
#include "cli/partitions.h"
#include "cli/request_client.h"

namespace inventory::cli {
namespace {

int confirm(const config::Configuration& configuration, const OrderRequest& request) {
  return ask(configuration, same_request(configuration.confirm_queue, body_of(request)),
             request.timeout);
}

Prepared prepare_confirm(const Arguments& given, const config::Configuration& configuration) {
  if (configuration.confirm_queue.empty())
    return Wrong("--confirm-queue is none: it is switched off");
  return prepared_for(read_order_request(given, Quantities::optional), configuration,
                      ordered_products, confirm);
}

}  // namespace

Command confirm_command() {
  return {
      .name = "confirm",
      .summary = "Confirm an order that holds stock, and print the reply",
      .description =
          "Makes an order's hold final, for all items that are named or for none. The\n"
          "confirmation is rejected if the hold is over, or the order was cancelled, rejected, or\n"
          "never seen. An order that was placed without a hold can be confirmed too, which\n"
          "changes nothing.\n\n"
          "Examples:\n"
          "  inventory-service confirm --order-id 123 --product-id 1\n"
          "  inventory-service confirm --order-id A-17 --item 1 --item 5\n\n"
          "Exit codes: 0 confirmed; 1 rejected; 2 wrong command line or setting; 3 no answer in\n"
          "time.",
      .options = order_request_options(Quantities::optional),
      .prepare = prepare_confirm,
  };
}

}  // namespace inventory::cli
