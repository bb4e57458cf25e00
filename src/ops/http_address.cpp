#include "ops/http_address.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <ranges>
#include <system_error>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

namespace inventory::ops {

std::string HttpAddress::display() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", port);
}

namespace {

constexpr std::string_view kHostCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:";

// Empty if the host is a name.
std::optional<boost::asio::ip::address> literal(const std::string& host) {
  boost::system::error_code not_an_address;
  auto address = boost::asio::ip::make_address(host, not_an_address);
  if (not_an_address.failed()) return std::nullopt;
  return address;
}

// Without port, brackets and the dot at the end of a name; in lower case. Empty if the text after
// the host is no port: 127.0.0.1:80.evil.example is not the host that it seems to be.
std::string bare(std::string_view host) {
  const bool is_in_brackets = host.starts_with('[');
  const auto end = std::min(host.find(is_in_brackets ? ']' : ':'), host.size());
  std::string_view port = host.substr(end);
  if (is_in_brackets) {
    if (port.empty()) return "";
    port.remove_prefix(1);
  }
  const bool has_port =
      port.starts_with(':') && port.find_first_not_of("0123456789", 1) == std::string_view::npos;
  if (!port.empty() && !has_port) return "";
  host = host.substr(0, end);
  if (is_in_brackets) host.remove_prefix(1);
  if (host.ends_with('.')) host.remove_suffix(1);
  std::string name(host);
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name;
}

bool is_localhost(std::string_view name) {
  return name == "localhost" || name.ends_with(".localhost");
}

}  // namespace

bool is_on_loopback(const HttpAddress& address) {
  const std::string own = bare(address.display());
  const auto own_literal = literal(own);
  return own_literal ? own_literal->is_loopback() : is_localhost(own);
}

bool is_host_of(const HttpAddress& address, std::span<const std::string> names,
                std::string_view host) {
  const std::string name = bare(host);
  return is_localhost(name) || name == bare(address.display()) || literal(name) ||
         std::ranges::find(names, name) != names.end();
}

std::expected<HttpAddress, std::string> parse_http_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::unexpected("it has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return std::unexpected("its port is no number from 0 to 65535");
  }
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::unexpected("an IPv6 address stands in brackets");
  }
  if (host.empty() || host.find_first_not_of(kHostCharacters) != std::string_view::npos) {
    return std::unexpected("its host is neither a name nor an address");
  }
  return HttpAddress{std::string(host), port};
}

std::expected<std::vector<std::string>, std::string> parse_http_hosts(std::string_view text) {
  std::vector<std::string> names;
  for (const auto& part : std::views::split(text, ',')) {
    std::string host(part.begin(), part.end());
    if (host.find(':') == std::string::npos) host += ":0";
    const auto address = parse_http_address(host);
    if (!address) return std::unexpected("in one of them " + address.error());
    names.push_back(bare(address->display()));
  }
  return names;
}

}  // namespace inventory::ops
