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

// Whether a request for this host, as its header names it, is one for a listener at the address.
// One that listens on this machine only takes `localhost`, names below it, addresses, and its own
// name; any other takes every name: which lead to it is the network's to say.
bool is_host_of(const HttpAddress& address, std::string_view host);

// The error is a clause that says what is missing or too much.
std::expected<HttpAddress, std::string> parse_http_address(std::string_view text);

}  // namespace inventory::ops
