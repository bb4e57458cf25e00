#pragma once

// HttpGuard: decides whose requests are answered.
//
//   by host   A page of another host's, in a browser, must not read what is here: its requests
//   carry
//             its own name, also where that has been made to lead here (DNS rebinding). Pages that
//             are public take every name, unless only this machine can reach the listener:
//             orchestrators and Prometheus ask by names of the network's.
//   by token  Where there is one, all pages but the public ones ask for it: as a bearer token (RFC
//             6750), or as the password of any user (Basic authentication, RFC 7617).

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ops/http_address.h"

namespace inventory::ops {

struct HttpAccess {
  std::vector<std::string> hosts = {};  // names that lead to the listener, beside its own
  std::string token = {};               // empty: none is asked for
};

class HttpGuard {
 public:
  HttpGuard(HttpAddress address, const HttpAccess& access);

  // host: as the request names it, perhaps with a port.
  bool admits_host(std::string_view host, bool is_public_page) const;

  // authorization: the values of all the request's headers of that name. How long it takes tells
  // nothing of the token.
  bool admits_holder(std::span<const std::string_view> authorization, bool is_public_page) const;

 private:
  HttpAddress address_;
  std::vector<std::string> hosts_;
  std::optional<std::array<unsigned char, 32>> token_;  // its SHA-256
};

}  // namespace inventory::ops
