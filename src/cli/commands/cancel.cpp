#include "cli/commands/cancel.h"

#include "cli/commands/order_request.h"
#include "cli/options.h"
#include "cli/partitions.h"
#include "cli/request_client.h"

namespace inventory::cli {
namespace {

int cancel(const config::Configuration& configuration, const OrderRequest& request) {
  return ask(configuration, same_request(configuration.cancel_queue, body_of(request)),
             request.timeout);
}

Prepared prepare_cancel(const Arguments& given, const config::Configuration& configuration) {
  if (configuration.cancel_queue.empty())
    return Wrong("--cancel-queue is none: it is switched off");
  return prepared_for(read_order_request(given, Quantities::optional), configuration,
                      ordered_products, cancel);
}

}  // namespace

Command cancel_command() {
  return {
      .name = "cancel",
      .summary = "Cancel an order, and print the reply",
      .description =
          "Gives back the stock that the order took, once, however often the command is repeated.\n"
          "If the order has not come yet, nothing is given back, and it is rejected when it\n"
          "comes.\n\n"
          "Examples:\n"
          "  inventory-service cancel --order-id 123 --product-id 1\n"
          "  inventory-service cancel --order-id A-17 --item 1 --item 5\n\n"
          "Exit codes: 0 cancelled; 1 rejected; 2 wrong command line or setting; 3 no answer in\n"
          "time.",
      .options = order_request_options(Quantities::optional),
      .prepare = prepare_cancel,
  };
}

}  // namespace inventory::cli
