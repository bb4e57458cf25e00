#include "contract/order_message.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "contract/json_object.h"
#include "contract/order_parts.h"
#include "contract/timestamp.h"
#include "domain/hold.h"

namespace inventory::contract {
namespace {

using Reason = RequestError::Reason;

constexpr std::array<std::string_view, 6> kOrderMembers{"order_id", "product_id", "quantity",
                                                        "line_id",  "items",      "hold_seconds"};
constexpr std::string_view kHeldUntil = R"(,"held_until":)";
constexpr JsonArrayWanted kOrderItems{kOrderMembers[4], kItemMembers, kItemsMax};

std::string_view order_text(domain::Outcome outcome) {
  switch (outcome) {
    case domain::Outcome::accepted:
    case domain::Outcome::held:
      return "Inventory updated";
    case domain::Outcome::product_not_found:
      return "Product not found";
    case domain::Outcome::other_item:
      return "Another item of the order was not available";
    case domain::Outcome::cancelled_first:
      return "Order was cancelled";
    default:
      return "Not enough inventory";
  }
}

// Whether the message asks for a hold.
bool asks_for_hold(const OrderMessage& message) {
  return message.order &&
         std::visit([](const auto& order) { return order.hold_seconds.has_value(); },
                    *message.order);
}

// The members that every reply has, and the end of the hold, if one was asked for.
std::string open_order_reply(const OrderMessage& message, bool success, std::string_view text,
                             std::optional<domain::Timestamp> held_until = std::nullopt) {
  std::string json = open_reply(message.order_id, success, text, message.object);
  if (!asks_for_hold(message)) return json;
  json += kHeldUntil;
  return json += held_until ? '"' + format_timestamp(*held_until) + '"' : "null";
}

std::string already_decided(const std::string& name, domain::ProductId product,
                            domain::Quantity quantity, domain::Quantity asked,
                            const std::optional<std::int64_t>& hold) {
  const std::string start = fmt::format("{} was already decided for product {} ", name, product);
  if (quantity != asked) return start + fmt::format("with quantity {}", quantity);
  return start + (hold ? fmt::format("with hold_seconds {}", *hold) : "without hold_seconds");
}

std::expected<std::optional<std::int64_t>, std::string> read_hold_seconds(const JsonValue& value) {
  if (is_none(value)) {
    return std::nullopt;
  }
  const auto* number = std::get_if<std::int64_t>(&value);
  if (number == nullptr || *number < 1 || *number > domain::kHoldSecondsMax) {
    return std::unexpected(fmt::format("{} must be an integer between 1 and {}", kOrderMembers[5],
                                       domain::kHoldSecondsMax));
  }
  return *number;
}

using Content = std::expected<std::variant<domain::Order, domain::Basket>, std::string>;

Content read_basket(domain::OrderId id, std::optional<domain::OrderId> line,
                    std::optional<std::int64_t> hold_seconds, const JsonObject& object) {
  if (!is_none(object.values[1]) || !is_none(object.values[2])) {
    return std::unexpected("items stands in place of product_id and quantity, not beside them");
  }
  const auto requested = read_items(object.array, true);
  if (!requested) return std::unexpected(requested.error());
  domain::Basket basket{
      .id = std::move(id), .items = {}, .line = std::move(line), .hold_seconds = hold_seconds};
  for (const auto& [product, quantity] : *requested) {
    basket.items.push_back({product, quantity.value_or(0)});
  }
  return basket;
}

Content read_content(const std::expected<domain::OrderId, std::string>& id, JsonObject& object,
                     std::string_view forbidden) {
  if (!id) return std::unexpected(id.error());
  const bool has_items = !is_none(object.values[4]);
  const auto product = read_positive(kOrderMembers[1], object.values[1]);
  if (!has_items && !product) return std::unexpected(product.error());
  const auto quantity = read_positive(kOrderMembers[2], object.values[2]);
  if (!has_items && !quantity) return std::unexpected(quantity.error());
  auto line = read_optional_id(kOrderMembers[3], std::move(object.values[3]), forbidden);
  if (!line) return std::unexpected(std::move(line.error()));
  const auto hold_seconds = read_hold_seconds(object.values[5]);
  if (!hold_seconds) return std::unexpected(hold_seconds.error());
  if (has_items) return read_basket(*id, *std::move(line), *hold_seconds, object);
  return domain::Order{.id = *id,
                       .product = *product,
                       .quantity = *quantity,
                       .line = *std::move(line),
                       .hold_seconds = *hold_seconds};
}

}  // namespace

OrderMessage read_order(std::string_view body, std::size_t bytes_max) {
  if (body.size() > bytes_max) {
    auto what = fmt::format("body of {} bytes is larger than {}", body.size(), bytes_max);
    return {std::unexpected(RequestError{Reason::too_large, std::move(what)}), {}, {}};
  }
  auto object = read_json_object(body, kOrderMembers, kOrderItems);
  if (!object) {
    return {std::unexpected(RequestError{Reason::invalid, std::move(object.error())}), {}, {}};
  }
  const auto forbidden = forbidden_character(*object);
  auto id = read_id(kOrderMembers[0], std::move(object->values[0]), forbidden);
  auto content = read_content(id, *object, forbidden);
  auto known_id = id ? std::optional(*std::move(id)) : std::nullopt;
  if (!content) {
    return {std::unexpected(RequestError{Reason::invalid, std::move(content.error())}),
            std::move(known_id), object->text};
  }
  return {*std::move(content), std::move(known_id), object->text};
}

std::string order_reply(const OrderMessage& message, const domain::OrderDecision& decision) {
  if (decision.conflicts_with) {
    const domain::Order& order = *message.single();
    return invalid_order_reply(message, already_decided(name_of(order.id, order.line),
                                                        order.product, *decision.conflicts_with,
                                                        order.quantity, decision.hold_of_conflict));
  }
  const bool success =
      decision.outcome == domain::Outcome::accepted || decision.outcome == domain::Outcome::held;
  return open_order_reply(message, success, order_text(decision.outcome), decision.held_until) +
         '}';
}

std::string basket_reply(const OrderMessage& message, const domain::BasketDecision& decision) {
  const domain::Basket& basket = *message.basket();
  if (decision.outcome == domain::Outcome::conflict) {
    const std::string name = name_of(basket.id, basket.line);
    const auto other = decision.conflicts_with;
    if (!other) {
      return invalid_order_reply(message, name + " was already decided for other items");
    }
    const auto asked = std::ranges::find(basket.items, other->product, &domain::OrderItem::product);
    return invalid_order_reply(
        message, already_decided(name, other->product, other->quantity, asked->quantity,
                                 decision.hold_of_conflict));
  }
  const bool success =
      decision.outcome == domain::Outcome::accepted || decision.outcome == domain::Outcome::held;
  std::string json =
      open_order_reply(message, success, order_text(decision.outcome), decision.held_until);
  if (success) return json += '}';
  json += R"(,"items":[)";
  for (const auto& [product, available] : decision.in_the_way) {
    if (!json.ends_with('[')) json += ',';
    json += fmt::format(R"({{"product_id":{},"available":{}}})", product,
                        available ? fmt::to_string(*available) : "null");
  }
  return json += "]}";
}

std::string invalid_order_reply(const OrderMessage& message, std::string_view what) {
  return open_order_reply(message, false, fmt::format("Invalid order: {}", what)) + '}';
}

std::optional<domain::Order> order_of_reply(std::string_view reply) {
  // Not found within a JSON string, where its quotes would be escaped.
  const auto at = reply.find(kOrderData);
  if (at == std::string_view::npos) return std::nullopt;
  reply.remove_prefix(at + kOrderData.size());
  if (reply.empty()) return std::nullopt;
  reply.remove_suffix(1);
  if (const auto behind = reply.rfind(kHeldUntil); behind != std::string_view::npos) {
    const OrderMessage held = read_order(reply.substr(0, behind), behind);
    if (const auto* order = held.single()) return *order;
  }
  const OrderMessage message = read_order(reply, reply.size());
  const domain::Order* const order = message.single();
  return order != nullptr ? std::optional(*order) : std::nullopt;
}

}  // namespace inventory::contract
