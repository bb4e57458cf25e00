#pragma once

// HttpAddress: an address to listen on: 127.0.0.1:9464, [::1]:9464, localhost:0.

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace inventory::ops {

struct HttpAddress {
  std::string host;        // a name or an address, IPv6 without brackets
  std::uint16_t port = 0;  // 0: any free port

  std::string display() const;

  friend bool operator==(const HttpAddress&, const HttpAddress&) = default;
};

// Whether only this machine can reach a listener at this address.
bool is_on_loopback(const HttpAddress& address);

// Whether a listener at the address accepts requests with this Host header: `localhost`, names
// below it, IP addresses, the name in the address, and `names`, with any port.
bool is_host_of(const HttpAddress& address, std::span<const std::string> names,
                std::string_view host);

// The error is a clause that says what is wrong.
std::expected<HttpAddress, std::string> parse_http_address(std::string_view text);

// "shop.example,inventory:9464": returns the host names, in lower case and without ports.
std::expected<std::vector<std::string>, std::string> parse_http_hosts(std::string_view text);

}  // namespace inventory::ops
