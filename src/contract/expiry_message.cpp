#include "contract/expiry_message.h"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "contract/json_object.h"
#include "contract/order_parts.h"

namespace inventory::contract {
namespace {

using Reason = RequestError::Reason;

constexpr std::array<std::string_view, 2> kExpiryMembers{"product_id", "identity"};
constexpr std::size_t kIdentityBytesMax = 512;  // of an order with a line: two ids and prefixes

}  // namespace

ExpiryMessage read_expiry(std::string_view body, std::size_t bytes_max) {
  const auto invalid = [](std::string what) {
    return std::unexpected(RequestError{Reason::invalid, std::move(what)});
  };
  if (body.size() > bytes_max) {
    return std::unexpected(
        RequestError{Reason::too_large,
                     fmt::format("body of {} bytes is larger than {}", body.size(), bytes_max)});
  }
  auto object = read_json_object(body, kExpiryMembers);
  if (!object) return invalid(std::move(object.error()));
  const auto product = read_positive(kExpiryMembers[0], object->values[0]);
  if (!product) return invalid(product.error());
  auto* const identity = std::get_if<std::string>(&object->values[1]);
  if (identity == nullptr || identity->empty() || identity->size() > kIdentityBytesMax ||
      identity->contains('\0') ||
      std::string_view("isl").find(identity->front()) == std::string_view::npos) {
    return invalid(fmt::format("{} must be the identity of an order, of at most {} bytes",
                               kExpiryMembers[1], kIdentityBytesMax));
  }
  return domain::Expiry{.product = *product, .identity = std::move(*identity)};
}

std::string expiry_body(const domain::LedgerKey& hold) {
  std::string json = fmt::format(R"({{"product_id":{},"identity":)", hold.first);
  append_json_string(json, hold.second);
  return json += '}';
}

}  // namespace inventory::contract
