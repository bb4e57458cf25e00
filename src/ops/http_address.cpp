#include "ops/http_address.h"

#include <charconv>
#include <system_error>

#include <fmt/format.h>

namespace inventory::ops {

std::string HttpAddress::display() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", port);
}

std::expected<HttpAddress, std::string> parse_http_address(std::string_view text) {
  static constexpr std::string_view kHostCharacters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:";
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::unexpected("it has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return std::unexpected("its port is no number from 0 to 65535");
  }
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::unexpected("an IPv6 address stands in brackets");
  }
  if (host.empty() || host.find_first_not_of(kHostCharacters) != std::string_view::npos) {
    return std::unexpected("its host is neither a name nor an address");
  }
  return HttpAddress{std::string(host), port};
}

}  // namespace inventory::ops
