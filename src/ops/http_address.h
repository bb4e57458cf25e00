#pragma once

// HttpAddress: where to listen, as people write it: 127.0.0.1:9464, [::1]:9464, localhost:0.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace inventory::ops {

struct HttpAddress {
  std::string host;        // a name or an address, IPv6 without brackets
  std::uint16_t port = 0;  // 0: any that is free

  std::string display() const;

  friend bool operator==(const HttpAddress&, const HttpAddress&) = default;
};

// The error is a clause that says what is missing or too much.
std::expected<HttpAddress, std::string> parse_http_address(std::string_view text);

}  // namespace inventory::ops
