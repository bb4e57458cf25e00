#include "contract/cancellation_message.h"

#include <utility>

#include <fmt/format.h>

#include "contract/json_object.h"
#include "contract/order_parts.h"

namespace inventory::contract {

CancellationMessage read_cancellation(std::string_view body, std::size_t bytes_max) {
  auto [reference, order_id, object] = read_reference(body, bytes_max);
  if (!reference) {
    return {std::unexpected(std::move(reference.error())), std::move(order_id), object};
  }
  domain::Cancellation cancellation{
      .id = std::move(reference->id), .items = {}, .line = std::move(reference->line)};
  for (const auto& [product, quantity] : reference->items) {
    cancellation.items.push_back({product, quantity});
  }
  return {std::move(cancellation), std::move(order_id), object};
}

std::string beyond_limit_text(const domain::CancellationDecision& decision) {
  return fmt::format("the stock of product {} would be more than {}",
                     decision.beyond_limit.value_or(0), kIntegerMax);
}

std::string cancellation_reply(const CancellationMessage& message,
                               const domain::CancellationDecision& decision) {
  if (decision.beyond_limit) {
    return invalid_cancellation_reply(message, beyond_limit_text(decision));
  }
  if (decision.conflicts_with) {
    const auto& [product, quantity] = *decision.conflicts_with;
    const domain::Cancellation& asked = *message.cancellation;
    return invalid_cancellation_reply(
        message, fmt::format("{} was decided for product {} with quantity {}",
                             name_of(asked.id, asked.line), product, quantity));
  }
  std::string json = open_reply(message.order_id, true, "Order cancelled", message.object);
  json += R"(,"items":[)";
  for (const auto& [product, quantity] : decision.items) {
    if (!json.ends_with('[')) json += ',';
    json += fmt::format(R"({{"product_id":{},"quantity":{}}})", product, quantity);
  }
  return json += "]}";
}

std::string invalid_cancellation_reply(const CancellationMessage& message, std::string_view what) {
  return open_reply(message.order_id, false, fmt::format("Invalid cancellation: {}", what),
                    message.object) +
         '}';
}

}  // namespace inventory::contract
