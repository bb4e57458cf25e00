#include "config/credentials.h"

#include <algorithm>

#include <boost/url/decode_view.hpp>
#include <boost/url/pct_string_view.hpp>

namespace inventory::config {
namespace {

constexpr std::string_view kMask = "***";

// A name that cannot be decoded counts as a secret's.
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
  if (url.starts_with("sqlite:") || url.starts_with("sqlite+")) return std::string(url);
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::string(kMask);
  // A password may contain unencoded characters, even an @: the last @ ends it.
  const std::size_t colon = url.find(':', scheme + 3);
  const std::size_t at = url.rfind('@');
  std::string masked(url);
  if (at != std::string_view::npos && colon < at) {
    masked.replace(colon + 1, at - colon - 1, kMask);
  }
  if (const std::size_t query = masked.find('?'); query != std::string::npos) {
    masked.replace(query, std::string::npos, mask_query(masked.substr(query + 1)));
  }
  return masked;
}

}  // namespace inventory::config
