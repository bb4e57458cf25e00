#pragma once

// Credentials: keeps those that a URL holds out of what is shown.

#include <string>
#include <string_view>

namespace inventory::config {

// The URL with *** for its password, and for the query parameters whose name holds "password"
// (libpq: password, sslpassword). Where it is not clear what belongs to the password, more is
// masked rather than less. Text that is no URL is masked as a whole.
std::string mask_credentials(std::string_view url);

}  // namespace inventory::config
