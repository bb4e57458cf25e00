#pragma once

// HttpAddress: where to listen, as people write it: 127.0.0.1:9464, [::1]:9464, localhost:0.

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace inventory::ops {

struct HttpAddress {
  std::string host;        // a name or an address, IPv6 without brackets
  std::uint16_t port = 0;  // 0: any that is free

  std::string display() const;

  friend bool operator==(const HttpAddress&, const HttpAddress&) = default;
};

// Whether only this machine can reach a listener there.
bool is_on_loopback(const HttpAddress& address);

// Whether a request for this host, as its header names it, is one for a listener at the address:
// `localhost`, names below it, addresses, the address's own name, and `names`, whatever the port.
bool is_host_of(const HttpAddress& address, std::span<const std::string> names,
                std::string_view host);

// The error is a clause that says what is missing or too much.
std::expected<HttpAddress, std::string> parse_http_address(std::string_view text);

// "shop.example,inventory:9464": names of hosts, in small letters and without their ports.
std::expected<std::vector<std::string>, std::string> parse_http_hosts(std::string_view text);

}  // namespace inventory::ops
