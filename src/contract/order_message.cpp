#include "contract/order_message.h"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "contract/json_object.h"
#include "contract/order_parts.h"

namespace inventory::contract {
namespace {

using Reason = RequestError::Reason;

constexpr std::array<std::string_view, 5> kOrderMembers{"order_id", "product_id", "quantity",
                                                        "line_id", "items"};
constexpr JsonArrayWanted kOrderItems{kOrderMembers[4], kItemMembers, kItemsMax};

std::string_view text_of(domain::Outcome outcome) {
  switch (outcome) {
    case domain::Outcome::accepted:
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

std::string reply(const OrderMessage& message, bool success, std::string_view text) {
  return open_reply(message.order_id, success, text, message.object) + '}';
}

using Content = std::expected<std::variant<domain::Order, domain::Basket>, std::string>;

Content read_basket(domain::OrderId id, std::optional<domain::OrderId> line,
                    const JsonObject& object) {
  if (!is_none(object.values[1]) || !is_none(object.values[2])) {
    return std::unexpected("items stands in place of product_id and quantity, not beside them");
  }
  const auto requested = read_items(object.array, true);
  if (!requested) return std::unexpected(requested.error());
  domain::Basket basket{.id = std::move(id), .items = {}, .line = std::move(line)};
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
  if (has_items) return read_basket(*id, *std::move(line), object);
  return domain::Order{*id, *product, *quantity, *std::move(line)};
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
    return invalid_order_reply(
        message,
        fmt::format("{} was already decided for product {} with quantity {}",
                    name_of(order.id, order.line), order.product, *decision.conflicts_with));
  }
  return reply(message, decision.outcome == domain::Outcome::accepted, text_of(decision.outcome));
}

std::string basket_reply(const OrderMessage& message, const domain::BasketDecision& decision) {
  const domain::Basket& basket = *message.basket();
  if (decision.outcome == domain::Outcome::conflict) {
    const auto other = decision.conflicts_with;
    return invalid_order_reply(
        message, name_of(basket.id, basket.line) +
                     (other ? fmt::format(" was already decided for product {} with quantity {}",
                                          other->product, other->quantity)
                            : " was already decided for other items"));
  }
  if (decision.outcome == domain::Outcome::accepted) {
    return reply(message, true, text_of(decision.outcome));
  }
  std::string json = open_reply(message.order_id, false, text_of(decision.outcome), message.object);
  json += R"(,"items":[)";
  for (const auto& [product, available] : decision.in_the_way) {
    if (!json.ends_with('[')) json += ',';
    json += fmt::format(R"({{"product_id":{},"available":{}}})", product,
                        available ? fmt::to_string(*available) : "null");
  }
  return json += "]}";
}

std::string invalid_order_reply(const OrderMessage& message, std::string_view what) {
  return reply(message, false, fmt::format("Invalid order: {}", what));
}

std::optional<domain::Order> order_of_reply(std::string_view reply) {
  // Within a JSON string its quotes would be escaped.
  const auto at = reply.find(kOrderData);
  if (at == std::string_view::npos) return std::nullopt;
  reply.remove_prefix(at + kOrderData.size());
  if (reply.empty()) return std::nullopt;
  reply.remove_suffix(1);
  const OrderMessage message = read_order(reply, reply.size());
  const domain::Order* const order = message.single();
  return order != nullptr ? std::optional(*order) : std::nullopt;
}

}  // namespace inventory::contract
