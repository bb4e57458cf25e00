#pragma once

// Credentials: removes those in a URL from what is shown.

#include <string>
#include <string_view>

namespace inventory::config {

// The URL with *** for its password, and for query parameters whose name contains "password"
// (libpq: password, sslpassword). If it is not clear what belongs to the password, masks more
// rather than less. Masks a text that is no URL as a whole.
std::string mask_credentials(std::string_view url);

}  // namespace inventory::config
