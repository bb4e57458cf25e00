#include "contract/order_parts.h"

#include <algorithm>
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
