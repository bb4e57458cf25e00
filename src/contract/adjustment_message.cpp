#include "contract/adjustment_message.h"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "contract/json_object.h"
#include "contract/limits.h"
#include "contract/order_parts.h"

namespace inventory::contract {
namespace {

using Reason = RequestError::Reason;
using Number = std::expected<std::optional<std::int64_t>, std::string>;

constexpr std::array<std::string_view, 6> kAdjustmentMembers{
    "adjustment_id", "product_id", "change", "set_to", "expected", "reason"};

Number read_number(std::string_view name, const JsonValue& value, std::int64_t least) {
  if (is_none(value)) return std::nullopt;
  const auto* number = std::get_if<std::int64_t>(&value);
  if (number == nullptr || *number < least) {
    return std::unexpected(
        fmt::format("{} must be an integer between {} and {}", name, least, kIntegerMax));
  }
  return *number;
}

// Control characters of ASCII, and of Unicode beyond it (C2 80 to C2 9F in UTF-8).
bool has_control_characters(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7F) return true;
    if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      return true;
    }
  }
  return false;
}

std::expected<std::optional<std::string>, std::string> read_reason(JsonValue value) {
  if (is_none(value)) return std::nullopt;
  auto* text = std::get_if<std::string>(&value);
  if (text == nullptr || !is_reason(*text)) {
    return std::unexpected(fmt::format(
        "reason must be a string of at most {} bytes without control characters", kReasonBytesMax));
  }
  return std::move(*text);
}

// Fills in what is to be done. Returns what is wrong; empty if nothing is.
std::string read_terms(JsonObject& object, domain::Adjustment& to) {
  const auto change = read_number(kAdjustmentMembers[2], object.values[2], -kIntegerMax);
  if (!change) return change.error();
  const auto set_to = read_number(kAdjustmentMembers[3], object.values[3], 0);
  if (!set_to) return set_to.error();
  const auto expected = read_number(kAdjustmentMembers[4], object.values[4], 0);
  if (!expected) return expected.error();
  auto reason = read_reason(std::move(object.values[5]));
  if (!reason) return reason.error();
  if (change->has_value() == set_to->has_value()) {
    return "either change or set_to must be there, and not both";
  }
  if (change->value_or(1) == 0) return "change must not be 0";
  if (expected->has_value() && !set_to->has_value()) return "expected goes with set_to only";
  to.change = *change;
  to.set_to = *set_to;
  to.expected = *expected;
  to.reason = *std::move(reason);
  return "";
}

std::string reply(const AdjustmentMessage& message, bool success, std::string_view text,
                  std::optional<domain::Quantity> quantity) {
  std::string json = R"({"adjustment_id":)";
  append_id(json, message.id);
  json += success ? R"(,"success":true,"message":)" : R"(,"success":false,"message":)";
  append_json_string(json, text);
  json += R"(,"product_id":)";
  json += message.product ? fmt::to_string(*message.product) : "null";
  json += R"(,"quantity":)";
  json += quantity ? fmt::to_string(*quantity) : "null";
  return json += '}';
}

}  // namespace

bool is_reason(std::string_view text) {
  return text.size() <= kReasonBytesMax && !has_control_characters(text);
}

AdjustmentMessage read_adjustment(std::string_view body, std::size_t bytes_max) {
  if (body.size() > bytes_max) {
    auto what = fmt::format("body of {} bytes is larger than {}", body.size(), bytes_max);
    return {std::unexpected(RequestError{Reason::too_large, std::move(what)})};
  }
  auto object = read_json_object(body, kAdjustmentMembers);
  if (!object) {
    return {std::unexpected(RequestError{Reason::invalid, std::move(object.error())})};
  }
  auto id =
      read_id(kAdjustmentMembers[0], std::move(object->values[0]), forbidden_character(*object));
  const auto product = read_positive(kAdjustmentMembers[1], object->values[1]);
  AdjustmentMessage message{.adjustment = std::unexpected(RequestError{Reason::invalid, ""}),
                            .id = id ? std::optional(*id) : std::nullopt,
                            .product = product ? std::optional(*product) : std::nullopt};
  if (!id || !product) {
    message.adjustment =
        std::unexpected(RequestError{Reason::invalid, !id ? id.error() : product.error()});
    return message;
  }
  domain::Adjustment adjustment{.id = *std::move(id), .product = *product};
  if (auto wrong = read_terms(*object, adjustment); !wrong.empty()) {
    message.adjustment = std::unexpected(RequestError{Reason::invalid, std::move(wrong)});
  } else {
    message.adjustment = std::move(adjustment);
  }
  return message;
}

std::string beyond_limit_text(const AdjustmentMessage& message) {
  return fmt::format("the stock of product {} would be more than {}", message.product.value_or(0),
                     kIntegerMax);
}

std::string adjustment_reply(const AdjustmentMessage& message,
                             const domain::AdjustmentDecision& decision) {
  using enum domain::Outcome;
  switch (decision.outcome) {
    case adjusted:
      return reply(message, true, "Inventory adjusted", decision.quantity);
    case not_enough_stock:
      return reply(message, false, "Not enough inventory", decision.quantity);
    case inventory_changed:
      return reply(message, false, kInventoryHasChanged, decision.quantity);
    case product_not_found:
      return reply(message, false, "Product not found", std::nullopt);
    case invalid:
      return invalid_adjustment_reply(message, beyond_limit_text(message));
    default:
      return invalid_adjustment_reply(
          message,
          fmt::format("adjustment_id {} was already decided for product {} with another "
                      "change",
                      message.id ? message.id->display() : "", message.product.value_or(0)));
  }
}

std::string invalid_adjustment_reply(const AdjustmentMessage& message, std::string_view what) {
  return reply(message, false, fmt::format("Invalid adjustment: {}", what), std::nullopt);
}

}  // namespace inventory::contract
