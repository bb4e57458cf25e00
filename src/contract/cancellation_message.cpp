#include "contract/cancellation_message.h"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "contract/json_object.h"
#include "contract/order_parts.h"

namespace inventory::contract {
namespace {

using Reason = RequestError::Reason;

constexpr std::array<std::string_view, 5> kCancellationMembers{"order_id", "product_id", "quantity",
                                                               "line_id", "items"};
constexpr JsonArrayWanted kItems{kCancellationMembers[4], kItemMembers, kItemsMax};

// The product and its quantity, or the items.
std::expected<std::vector<RequestedItem>, std::string> read_requested(const JsonObject& object) {
  const auto& values = object.values;
  const bool has_items = !is_none(values[4]);
  const bool has_quantity = !is_none(values[2]);
  if (has_items) {
    if (has_quantity || !is_none(values[1])) {
      return std::unexpected("items stands in place of product_id and quantity, not beside them");
    }
    return read_items(object.array, false);
  }
  const auto product = read_positive(kCancellationMembers[1], values[1]);
  if (!product) return std::unexpected(product.error());
  if (!has_quantity) return std::vector{RequestedItem{*product, std::nullopt}};
  const auto quantity = read_positive(kCancellationMembers[2], values[2]);
  if (!quantity) return std::unexpected(quantity.error());
  return std::vector{RequestedItem{*product, *quantity}};
}

}  // namespace

CancellationMessage read_cancellation(std::string_view body, std::size_t bytes_max) {
  if (body.size() > bytes_max) {
    auto what = fmt::format("body of {} bytes is larger than {}", body.size(), bytes_max);
    return {std::unexpected(RequestError{Reason::too_large, std::move(what)}), {}, {}};
  }
  auto object = read_json_object(body, kCancellationMembers, kItems);
  if (!object) {
    return {std::unexpected(RequestError{Reason::invalid, std::move(object.error())}), {}, {}};
  }
  const auto forbidden = forbidden_character(*object);
  auto id = read_id(kCancellationMembers[0], std::move(object->values[0]), forbidden);
  const auto requested = read_requested(*object);
  auto line = read_optional_id(kCancellationMembers[3], std::move(object->values[3]), forbidden);
  auto known_id = id ? std::optional(*id) : std::nullopt;
  if (!id || !requested || !line) {
    RequestError error{Reason::invalid, !id          ? id.error()
                                        : !requested ? requested.error()
                                                     : line.error()};
    return {std::unexpected(std::move(error)), std::move(known_id), object->text};
  }
  domain::Cancellation cancellation{.id = *std::move(id), .items = {}, .line = *std::move(line)};
  for (const auto& [product, quantity] : *requested) {
    cancellation.items.push_back({product, quantity});
  }
  return {std::move(cancellation), std::move(known_id), object->text};
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
