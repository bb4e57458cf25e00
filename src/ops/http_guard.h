#pragma once

// HttpGuard: decides which requests are answered.
//
//   by host   Keeps out web pages of other hosts that resolve to this address (DNS rebinding):
//             their requests have the other host's name. Public pages accept every name,
//             because orchestrators and Prometheus use names of their network, unless only
//             this machine can reach the listener.
//   by token  If there is a token, all pages but the public ones require it, as a bearer token
//             (RFC 6750) or as the password of any user (Basic authentication, RFC 7617).

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ops/http_address.h"

namespace inventory::ops {

struct HttpAccess {
  std::vector<std::string> hosts = {};  // other names of the listener
  std::string token = {};               // empty: none is required
};

class HttpGuard {
 public:
  HttpGuard(HttpAddress address, const HttpAccess& access);

  // host: from the request, perhaps with a port.
  bool admits_host(std::string_view host, bool is_public_page) const;

  // authorization: the values of all the request's headers of that name. Takes the same time
  // whatever the token is.
  bool admits_holder(std::span<const std::string_view> authorization, bool is_public_page) const;

 private:
  HttpAddress address_;
  std::vector<std::string> hosts_;
  std::optional<std::array<unsigned char, 32>> token_;  // its SHA-256
};

}  // namespace inventory::ops
