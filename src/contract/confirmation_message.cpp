#include "contract/confirmation_message.h"

#include <utility>

#include <fmt/format.h>

#include "contract/order_parts.h"

namespace inventory::contract {
namespace {

std::string_view confirmation_text(domain::Outcome outcome) {
  switch (outcome) {
    case domain::Outcome::confirmed:
      return "Order confirmed";
    case domain::Outcome::hold_expired:
      return "Hold expired";
    case domain::Outcome::order_cancelled:
      return "Order was cancelled";
    case domain::Outcome::order_rejected:
      return "Order was rejected";
    default:
      return "Order not found";
  }
}

}  // namespace

ConfirmationMessage read_confirmation(std::string_view body, std::size_t bytes_max) {
  auto [reference, order_id, object] = read_reference(body, bytes_max);
  if (!reference) {
    return {std::unexpected(std::move(reference.error())), std::move(order_id), object};
  }
  domain::Confirmation confirmation{
      .id = std::move(reference->id), .items = {}, .line = std::move(reference->line)};
  for (const auto& [product, quantity] : reference->items) {
    confirmation.items.push_back({product, quantity});
  }
  return {std::move(confirmation), std::move(order_id), object};
}

std::string confirmation_reply(const ConfirmationMessage& message,
                               const domain::ConfirmationDecision& decision) {
  if (decision.conflicts_with) {
    const auto& [product, quantity] = *decision.conflicts_with;
    const domain::Confirmation& asked = *message.confirmation;
    return invalid_confirmation_reply(
        message, fmt::format("{} was decided for product {} with quantity {}",
                             name_of(asked.id, asked.line), product, quantity));
  }
  const bool success = decision.outcome == domain::Outcome::confirmed;
  return open_reply(message.order_id, success, confirmation_text(decision.outcome),
                    message.object) +
         '}';
}

std::string invalid_confirmation_reply(const ConfirmationMessage& message, std::string_view what) {
  return open_reply(message.order_id, false, fmt::format("Invalid confirmation: {}", what),
                    message.object) +
         '}';
}

}  // namespace inventory::contract
