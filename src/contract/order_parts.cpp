#include "contract/order_parts.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "contract/limits.h"

namespace inventory::contract {

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

std::expected<std::optional<domain::OrderId>, std::string> read_optional_id(
    std::string_view name, JsonValue value, std::string_view forbidden) {
  if (is_none(value)) {
    return std::nullopt;
  }
  return read_id(name, std::move(value), forbidden);
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

namespace {

std::expected<RequestedItem, std::string> read_item(const std::vector<JsonValue>& members,
                                                    bool needs_quantity) {
  const auto product = read_positive(kItemMembers[0], members[0]);
  if (!product) return std::unexpected(product.error());
  if (!needs_quantity && is_none(members[1])) {
    return RequestedItem{*product, std::nullopt};
  }
  const auto quantity = read_positive(kItemMembers[1], members[1]);
  if (!quantity) return std::unexpected(quantity.error());
  return RequestedItem{*product, *quantity};
}

}  // namespace

std::expected<std::vector<RequestedItem>, std::string> read_items(
    const std::optional<JsonArray>& array, bool needs_quantity) {
  if (!array || array->has_others || array->size < 1 || array->size > kItemsMax) {
    return std::unexpected(fmt::format("items must be an array of 1 to {} objects", kItemsMax));
  }
  std::vector<RequestedItem> items;
  for (std::size_t at = 0; at < array->elements.size(); ++at) {
    const auto item = read_item(array->elements[at], needs_quantity);
    if (!item) return std::unexpected(fmt::format("items[{}]: {}", at, item.error()));
    const auto same = std::ranges::find(items, item->product, &RequestedItem::product);
    if (same == items.end()) {
      items.push_back(*item);
      continue;
    }
    if (!same->quantity || !item->quantity) {
      same->quantity.reset();
      continue;
    }
    const std::int64_t sum = same->quantity.value_or(0) + item->quantity.value_or(0);
    same->quantity = sum;
    if (sum > kIntegerMax) {
      return std::unexpected(
          fmt::format("items: the quantities of product {} add up to more than {}", item->product,
                      kIntegerMax));
    }
  }
  return items;
}

namespace {

using Reason = RequestError::Reason;

constexpr std::array<std::string_view, 5> kReferenceMembers{"order_id", "product_id", "quantity",
                                                            "line_id", "items"};
constexpr JsonArrayWanted kReferenceItems{kReferenceMembers[4], kItemMembers, kItemsMax};

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
  const auto product = read_positive(kReferenceMembers[1], values[1]);
  if (!product) return std::unexpected(product.error());
  if (!has_quantity) return std::vector{RequestedItem{*product, std::nullopt}};
  const auto quantity = read_positive(kReferenceMembers[2], values[2]);
  if (!quantity) return std::unexpected(quantity.error());
  return std::vector{RequestedItem{*product, *quantity}};
}

}  // namespace

ReferenceMessage read_reference(std::string_view body, std::size_t bytes_max) {
  if (body.size() > bytes_max) {
    auto what = fmt::format("body of {} bytes is larger than {}", body.size(), bytes_max);
    return {std::unexpected(RequestError{Reason::too_large, std::move(what)}), {}, {}};
  }
  auto object = read_json_object(body, kReferenceMembers, kReferenceItems);
  if (!object) {
    return {std::unexpected(RequestError{Reason::invalid, std::move(object.error())}), {}, {}};
  }
  const auto forbidden = forbidden_character(*object);
  auto id = read_id(kReferenceMembers[0], std::move(object->values[0]), forbidden);
  auto requested = read_requested(*object);
  auto line = read_optional_id(kReferenceMembers[3], std::move(object->values[3]), forbidden);
  auto known_id = id ? std::optional(*id) : std::nullopt;
  if (!id || !requested || !line) {
    RequestError error{Reason::invalid, !id          ? id.error()
                                        : !requested ? requested.error()
                                                     : line.error()};
    return {std::unexpected(std::move(error)), std::move(known_id), object->text};
  }
  return {OrderReference{*std::move(id), *std::move(requested), *std::move(line)},
          std::move(known_id), object->text};
}

std::string name_of(const domain::OrderId& id, const std::optional<domain::OrderId>& line) {
  return fmt::format("order_id {}{}", id.display(), line ? ", line_id " + line->display() : "");
}

void append_id(std::string& json, const std::optional<domain::OrderId>& id) {
  if (!id) {
    json += "null";
  } else if (const auto* text = std::get_if<std::string>(&id->value())) {
    append_json_string(json, *text);
  } else {
    json += id->display();
  }
}

std::string open_reply(const std::optional<domain::OrderId>& id, bool success,
                       std::string_view message, std::string_view object) {
  std::string json;
  json.reserve(96 + message.size() + object.size());
  json += R"({"order_id":)";
  append_id(json, id);
  json += success ? R"(,"success":true,"message":)" : R"(,"success":false,"message":)";
  append_json_string(json, message);
  json += kOrderData;
  json += object.empty() ? "null" : object;
  return json;
}

}  // namespace inventory::contract
