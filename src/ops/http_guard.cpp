#include "ops/http_guard.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/sha.h>

namespace inventory::ops {
namespace {

// Digests are compared in place of the texts, so that the time does not depend on their length.
std::array<unsigned char, SHA256_DIGEST_LENGTH> digest(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> bytes{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), bytes.data());
  return bytes;
}

std::optional<std::string> decode_base64(std::string_view text) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 != 0) return std::nullopt;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  std::string bytes;
  std::uint32_t bits = 0;
  unsigned waiting = 0;  // bits that are not in a byte yet
  for (const char c : text) {
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6U | static_cast<std::uint32_t>(digit);
    waiting += 6;
    if (waiting < 8) continue;
    waiting -= 8;
    bytes += static_cast<char>(bits >> waiting & 0xFFU);
  }
  return bytes;
}

bool is_scheme(std::string_view text, std::string_view name) {
  return std::ranges::equal(text, name, {}, [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
}

// The token or password in the header, if its scheme is known.
std::optional<std::string> secret_of(std::string_view authorization) {
  const auto space = authorization.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const std::string_view scheme = authorization.substr(0, space);
  std::string_view rest = authorization.substr(space);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  if (is_scheme(scheme, "bearer")) return std::string(rest);
  if (!is_scheme(scheme, "basic")) return std::nullopt;
  const auto credentials = decode_base64(rest);
  if (!credentials) return std::nullopt;
  const auto colon = credentials->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return credentials->substr(colon + 1);
}

}  // namespace

HttpGuard::HttpGuard(HttpAddress address, const HttpAccess& access)
    : address_(std::move(address)), hosts_(access.hosts) {
  if (!access.token.empty()) token_ = digest(access.token);
}

bool HttpGuard::admits_host(std::string_view host, bool is_public_page) const {
  return (is_public_page && !is_on_loopback(address_)) || is_host_of(address_, hosts_, host);
}

bool HttpGuard::admits_holder(std::span<const std::string_view> authorization,
                              bool is_public_page) const {
  if (is_public_page || !token_) return true;
  if (authorization.size() != 1) return false;  // if there are several, it is unclear which counts
  const auto secret = secret_of(authorization.front());
  if (!secret) return false;
  const auto shown = digest(*secret);
  return CRYPTO_memcmp(shown.data(), token_->data(), shown.size()) == 0;
}

}  // namespace inventory::ops
