#include "app/credentials.h"

#include <algorithm>

#include <boost/url/decode_view.hpp>
#include <boost/url/pct_string_view.hpp>

namespace inventory::app {
namespace {

constexpr std::string_view kMask = "***";

// A name that cannot be decoded is taken for a secret's.
bool names_a_secret(std::string_view parameter_name) {
  const auto encoded = boost::urls::make_pct_string_view(parameter_name);
  if (!encoded) return true;
  const boost::urls::decode_view decoded(*encoded);
  const std::string name(decoded.begin(), decoded.end());
  return name.find("password") != std::string::npos;
}

std::string mask_query(std::string_view query) {
  std::string masked;
  while (!query.empty()) {
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(parameter.size() + 1, query.size()));
    const std::size_t equals = parameter.find('=');
    masked += masked.empty() ? '?' : '&';
    if (equals != std::string_view::npos && names_a_secret(parameter.substr(0, equals))) {
      masked += parameter.substr(0, equals + 1);
      masked += kMask;
    } else {
      masked += parameter;
    }
  }
  return masked;
}

}  // namespace

std::string mask_credentials(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) {
    return url.starts_with("sqlite:") ? std::string(url) : std::string(kMask);
  }
  const std::string_view rest = url.substr(scheme + 3);
  std::string masked(url.substr(0, scheme + 3));

  // A password may hold a / or ? that its writer forgot to encode: the last @ before the
  // parameters ends it.
  const std::size_t first_at = rest.find('@');
  const std::size_t query = rest.find('?', first_at == std::string_view::npos ? 0 : first_at);
  const std::size_t at = rest.substr(0, query).rfind('@');
  if (at != std::string_view::npos) {
    const std::size_t colon = rest.find(':');
    masked += rest.substr(0, std::min(colon, at));
    if (colon < at) {
      masked += ':';
      masked += kMask;
    }
    masked += rest.substr(at, query - at);
  } else {
    masked += rest.substr(0, query);
  }
  if (query != std::string_view::npos) masked += mask_query(rest.substr(query + 1));
  return masked;
}

}  // namespace inventory::app
