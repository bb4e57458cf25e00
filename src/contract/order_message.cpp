#include "contract/order_message.h"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "contract/json_object.h"

namespace inventory::contract {
namespace {

using Reason = RequestError::Reason;

constexpr std::size_t kOrderIdBytesMax = 128;
constexpr std::string_view kOrderData = R"(,"order_data":)";  // the last member of a reply
constexpr std::array<std::string_view, 4> kOrderMembers{"order_id", "product_id", "quantity",
                                                        "line_id"};

// An order_id, or a line_id, which is of the same kind.
std::expected<domain::OrderId, std::string> read_id(std::string_view name, JsonValue value,
                                                    std::string_view forbidden) {
  if (std::holds_alternative<Absent>(value)) {
    return std::unexpected(fmt::format("{} is missing", name));
  }
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    return domain::OrderId(*number);
  }
  auto* text = std::get_if<std::string>(&value);
  if (text == nullptr || text->empty() || text->size() > kOrderIdBytesMax) {
    return std::unexpected(
        fmt::format("{2} must be an integer between -{0} and {0}, or a string of 1 to {1} bytes",
                    kIntegerMax, kOrderIdBytesMax, name));
  }
  // PostgreSQL's text cannot hold it, and no client has a use for it.
  if (text->contains('\0')) {
    return std::unexpected(fmt::format("{} must not contain {}", name, forbidden));
  }
  return domain::OrderId(std::move(*text));
}

// Nothing where there is none. JSON's null is none, too.
std::expected<std::optional<domain::OrderId>, std::string> read_line_id(
    JsonValue value, std::string_view forbidden) {
  if (std::holds_alternative<Absent>(value) || std::holds_alternative<Null>(value)) {
    return std::nullopt;
  }
  return read_id(kOrderMembers[3], std::move(value), forbidden);
}

std::expected<std::int64_t, std::string> read_positive(std::string_view name,
                                                       const JsonValue& value) {
  if (std::holds_alternative<Absent>(value)) {
    return std::unexpected(fmt::format("{} is missing", name));
  }
  const auto* number = std::get_if<std::int64_t>(&value);
  if (number == nullptr || *number < 1) {
    return std::unexpected(
        fmt::format("{} must be an integer between 1 and {}", name, kIntegerMax));
  }
  return *number;
}

std::string reply(const OrderMessage& message, bool success, std::string_view text) {
  std::string json;
  json.reserve(96 + text.size() + message.object.size());
  json += R"({"order_id":)";
  if (!message.order_id) {
    json += "null";
  } else if (const auto* id = std::get_if<std::string>(&message.order_id->value())) {
    append_json_string(json, *id);
  } else {
    json += message.order_id->display();
  }
  json += success ? R"(,"success":true,"message":)" : R"(,"success":false,"message":)";
  append_json_string(json, text);
  json += kOrderData;
  json += message.object.empty() ? "null" : message.object;
  json += '}';
  return json;
}

std::string_view text_of(domain::Outcome verdict) {
  switch (verdict) {
    case domain::Outcome::accepted:
      return "Inventory updated";
    case domain::Outcome::product_not_found:
      return "Product not found";
    default:
      return "Not enough inventory";
  }
}

}  // namespace

OrderMessage read_order(std::string_view body, std::size_t bytes_max) {
  if (body.size() > bytes_max) {
    auto what = fmt::format("body of {} bytes is larger than {}", body.size(), bytes_max);
    return {std::unexpected(RequestError{Reason::too_large, std::move(what)}), {}, {}};
  }
  auto object = read_json_object(body, kOrderMembers);
  if (!object) {
    return {std::unexpected(RequestError{Reason::invalid, std::move(object.error())}), {}, {}};
  }
  const auto forbidden = forbidden_character(*object);
  auto id = read_id(kOrderMembers[0], std::move(object->values[0]), forbidden);
  const auto product = read_positive(kOrderMembers[1], object->values[1]);
  const auto quantity = read_positive(kOrderMembers[2], object->values[2]);
  auto line = read_line_id(std::move(object->values[3]), forbidden);
  auto known_id = id ? std::optional(*id) : std::nullopt;
  if (!id || !product || !quantity || !line) {
    RequestError error{Reason::invalid, !id         ? id.error()
                                        : !product  ? product.error()
                                        : !quantity ? quantity.error()
                                                    : line.error()};
    return {std::unexpected(std::move(error)), std::move(known_id), object->text};
  }
  return {domain::Order{std::move(*id), *product, *quantity, std::move(*line)}, std::move(known_id),
          object->text};
}

std::string order_reply(const OrderMessage& message, const domain::OrderDecision& decision) {
  if (decision.conflicts_with) {
    const auto& line = message.order->line;
    return invalid_order_reply(
        message,
        fmt::format("order_id {}{} was already decided for product {} with quantity {}",
                    message.order->id.display(), line ? ", line_id " + line->display() : "",
                    message.order->product, *decision.conflicts_with));
  }
  return reply(message, decision.outcome == domain::Outcome::accepted, text_of(decision.outcome));
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
  OrderMessage message = read_order(reply, reply.size());
  if (!message.order) return std::nullopt;
  return *std::move(message.order);
}

}  // namespace inventory::contract
