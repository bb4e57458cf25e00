#include "contract/item_message.h"

#include <array>

#include <boost/endian/conversion.hpp>
#include <fmt/format.h>
#include <openssl/sha.h>

#include "contract/json_object.h"
#include "contract/timestamp.h"

namespace inventory::contract {
namespace {

using Reason = RequestError::Reason;

constexpr std::array<std::string_view, 4> kNewItemMembers{"quantity", "description", "product_id",
                                                          "low_stock"};

// Text is what JSON can hold: the JSON reader checks the UTF-8.
bool is_text(std::string_view bytes) {
  if (bytes.contains('\0')) {
    return false;
  }
  std::string json;
  json.reserve(bytes.size() + 2);
  append_json_string(json, bytes);
  return read_json_object(fmt::format(R"({{"":{}}})", json), {}).has_value();
}

std::string identity(char plain_prefix, char hex_prefix, std::string_view bytes) {
  if (is_text(bytes)) {
    return plain_prefix + std::string(bytes);
  }
  std::string hex(1, hex_prefix);
  for (const char byte : bytes) {
    hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  }
  return hex;
}

std::string reply(std::string_view id, std::optional<domain::Quantity> quantity,
                  const std::optional<std::string>& description, std::string_view created_at,
                  bool success, std::string_view text) {
  std::string json;
  json += fmt::format(R"({{"id":{},"quantity":)", id);
  json += quantity ? fmt::to_string(*quantity) : "null";
  json += R"(,"description":)";
  if (description) {
    append_json_string(json, *description);
  } else {
    json += "null";
  }
  json += fmt::format(R"(,"created_at":{},"success":{},"message":)", created_at, success);
  append_json_string(json, text);
  json += '}';
  return json;
}

// An optional member that is an integer between `least` and `most`, or null, which counts as
// absent.
std::optional<std::int64_t> read_optional(std::string_view name, const JsonValue& value,
                                          std::int64_t least, std::int64_t most,
                                          std::optional<RequestError>& error) {
  if (is_none(value)) {
    return std::nullopt;
  }
  const auto* number = std::get_if<std::int64_t>(&value);
  if (number != nullptr && *number >= least && *number <= most) return *number;
  if (!error) {
    error = RequestError{Reason::invalid,
                         fmt::format("{} must be an integer between {} and {}", name, least, most)};
  }
  return std::nullopt;
}

}  // namespace

ItemMessage read_item(std::string_view body, std::size_t bytes_max) {
  ItemMessage message;
  if (body.size() > bytes_max) {
    message.error =
        RequestError{Reason::too_large,
                     fmt::format("body of {} bytes is larger than {}", body.size(), bytes_max)};
    return message;
  }
  auto object = read_json_object(body, kNewItemMembers);
  if (!object) {
    message.error = RequestError{Reason::invalid, std::move(object.error())};
    return message;
  }
  const JsonValue& quantity = object->values[0];
  const auto* number = std::get_if<std::int64_t>(&quantity);
  if (number != nullptr && *number >= 0) {
    message.quantity = *number;
  } else {
    message.error = RequestError{
        Reason::invalid,
        std::holds_alternative<Absent>(quantity)
            ? "quantity is missing"
            : fmt::format("quantity must be an integer between 0 and {}", kIntegerMax)};
  }
  JsonValue& description = object->values[1];
  auto* text = std::get_if<std::string>(&description);
  if (text != nullptr && text->size() <= kDescriptionBytesMax && !text->contains('\0')) {
    message.description = std::move(*text);
  } else if (!message.error && !is_none(description)) {
    message.error = RequestError{
        Reason::invalid,
        fmt::format("description must be null or a string of at most {} bytes without {}",
                    kDescriptionBytesMax, forbidden_character(*object))};
  }
  message.product_id =
      read_optional(kNewItemMembers[2], object->values[2], 1, domain::kChosenIdMax, message.error);
  message.low_stock =
      read_optional(kNewItemMembers[3], object->values[3], 0, kIntegerMax, message.error);
  return message;
}

std::optional<std::string> item_identity(const std::optional<std::string>& message_id,
                                         const std::optional<std::string>& correlation_id) {
  if (message_id && !message_id->empty()) {
    return identity('m', 'M', *message_id);
  }
  if (correlation_id && !correlation_id->empty()) {
    return identity('c', 'C', *correlation_id);
  }
  return std::nullopt;
}

std::optional<std::uint32_t> item_partition(const std::optional<std::string>& message_id,
                                            const std::optional<std::string>& correlation_id,
                                            std::uint32_t count) {
  for (const auto* id : {&message_id, &correlation_id}) {
    if (!*id || (*id)->empty()) continue;
    std::array<unsigned char, SHA256_DIGEST_LENGTH> hash{};
    SHA256(reinterpret_cast<const unsigned char*>((*id)->data()), (*id)->size(), hash.data());
    return boost::endian::load_big_u32(hash.data()) % count;
  }
  return std::nullopt;
}

std::string item_reply(const domain::ItemDecision& decision) {
  const domain::Item& item = decision.item;
  if (decision.conflicts_with) {
    return reply(
        "null", item.quantity, item.description, "null", false,
        fmt::format("Invalid item: message_id or correlation_id was already used for item {} "
                    "with another quantity, description, product_id or low_stock",
                    *decision.conflicts_with));
  }
  if (decision.is_taken) {
    return reply("null", item.quantity, item.description, "null", false, "Product already exists");
  }
  return reply(fmt::to_string(item.id), item.quantity, item.description,
               fmt::format(R"("{}")", format_timestamp(item.created_at)), true, "Item added");
}

std::string invalid_item_reply(const ItemMessage& message, std::string_view what) {
  return reply("null", message.quantity, message.description, "null", false,
               fmt::format("Invalid item: {}", what));
}

}  // namespace inventory::contract
