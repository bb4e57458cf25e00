#include "amqp/endpoint.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <boost/url/encode.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/rfc/pchars.hpp>
#include <boost/url/url_view.hpp>
#include <fmt/format.h>

namespace amqp {
namespace {

constexpr std::uint16_t kPort = 5672;
constexpr std::uint16_t kTlsPort = 5671;
constexpr std::size_t kCredentialMax = 1'024;
constexpr std::size_t kVhostMax = 255;  // a short string, AMQP 0-9-1, 4.2.5.3

using Failure = std::unexpected<std::string>;

// Boost.URL only supports one host. So the list of hosts is split off before.
struct Authority {
  std::size_t scheme_size;  // of "amqp://"
  std::string_view before;  // scheme and user information, up to the hosts
  std::string_view hosts;
  std::string_view after;
};

std::optional<Authority> split(std::string_view url) {
  const auto scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return {};
  const auto begin = scheme_end + 3;
  const auto end = std::min(url.find_first_of("/?#", begin), url.size());
  const auto at = url.substr(begin, end - begin).rfind('@');
  const auto hosts = at == std::string_view::npos ? begin : begin + at + 1;
  return Authority{.scheme_size = begin,
                   .before = url.substr(0, hosts),
                   .hosts = url.substr(hosts, end - hosts),
                   .after = url.substr(end)};
}

std::expected<Host, std::string> parse_host(std::string_view text, std::uint16_t default_port) {
  const std::string url = fmt::format("amqp://{}", text);
  const auto parsed = boost::urls::parse_uri(url);
  // Boost 1.81 reads "host:x" as a host with an empty port and a path "x".
  if (!parsed || parsed->has_userinfo() || !parsed->encoded_path().empty()) {
    return Failure("a host or port in it is not valid");
  }
  // Not a host name; probably a URL that was percent-encoded as a whole, with the password in it.
  if (text.contains('%')) return Failure("a host in it is percent-encoded");
  Host host{.name = parsed->host_address(), .port = default_port};
  if (host.name.empty()) return Failure("a host in it is empty");
  if (parsed->has_port() && !parsed->port().empty()) {
    // Not port_number(): Boost 1.81 reads 99999 as 34463.
    const std::string digits(parsed->port());
    const auto end = digits.data() + digits.size();
    const auto [rest, error] = std::from_chars(digits.data(), end, host.port);
    if (error != std::errc() || rest != end || host.port == 0) {
      return Failure("a port in it is not between 1 and 65535");
    }
  }
  return host;
}

std::expected<std::string, std::string> parse_vhost(const boost::urls::url_view& url) {
  const std::string_view path(url.encoded_path().data(), url.encoded_path().size());
  if (path.empty() || path == "/") return "/";
  if (path.find('/', 1) != std::string_view::npos) {
    return Failure("its vhost has more than one path segment; write %2F for a slash in a name");
  }
  std::string vhost = url.path().substr(1);
  if (vhost.size() > kVhostMax) return Failure("its vhost has more than 255 bytes");
  return vhost;
}

std::expected<std::chrono::seconds, std::string> parse_heartbeat(const boost::urls::url_view& url,
                                                                 std::chrono::seconds standard) {
  for (const auto& parameter : url.params()) {
    if (parameter.key != "heartbeat") continue;
    const std::string value(parameter.value);
    std::uint16_t seconds = 0;
    const auto end = value.data() + value.size();
    const auto [rest, error] = std::from_chars(value.data(), end, seconds);
    if (error != std::errc() || rest != end) {
      return Failure("its heartbeat is not a number of seconds between 0 and 65535");
    }
    return std::chrono::seconds(seconds);
  }
  return standard;
}

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

std::expected<void, std::string> read_credentials(const boost::urls::url_view& url,
                                                  Endpoint& endpoint) {
  if (!url.has_userinfo()) return {};
  endpoint.user = url.user();
  if (url.has_password()) {
    endpoint.password = url.password();
  }
  if (has_nul(endpoint.user) || has_nul(endpoint.password)) {
    return Failure("its user or password holds a NUL");  // SASL PLAIN uses it as separator
  }
  if (endpoint.user.size() > kCredentialMax || endpoint.password.size() > kCredentialMax) {
    return Failure("its user or password has more than 1024 bytes");
  }
  return {};
}

std::expected<Endpoint, std::string> parse(std::string_view text) {
  const auto authority = split(text);
  if (!authority) return Failure("it does not begin with amqp:// or amqps://");
  const auto first_host = authority->hosts.substr(0, authority->hosts.find(','));
  const std::string single = fmt::format("{}{}{}", authority->before, first_host, authority->after);
  const auto url = boost::urls::parse_uri(single);
  const bool is_whole = url && url->encoded_authority().size() == authority->before.size() +
                                                                      first_host.size() -
                                                                      authority->scheme_size;
  if (!is_whole) {
    return Failure(
        "it is malformed; special characters in user, password and vhost are written "
        "percent-encoded");
  }
  if (url->scheme() != "amqp" && url->scheme() != "amqps") {
    return Failure("it does not begin with amqp:// or amqps://");
  }
  // Most likely a password's '#': the part before it would be taken for host and port.
  if (url->has_fragment()) return Failure("a '#' in it is written %23");

  Endpoint endpoint;
  endpoint.tls = url->scheme() == "amqps";
  for (std::string_view rest = authority->hosts;;) {
    const auto comma = rest.find(',');
    auto host = parse_host(rest.substr(0, comma), endpoint.tls ? kTlsPort : kPort);
    if (!host) return Failure(std::move(host.error()));
    endpoint.hosts.push_back(std::move(*host));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  if (auto read = read_credentials(*url, endpoint); !read) return Failure(std::move(read.error()));
  auto vhost = parse_vhost(*url);
  if (!vhost) return Failure(std::move(vhost.error()));
  endpoint.vhost = std::move(*vhost);
  const auto heartbeat = parse_heartbeat(*url, endpoint.heartbeat);
  if (!heartbeat) return Failure(heartbeat.error());
  endpoint.heartbeat = *heartbeat;
  return endpoint;
}

}  // namespace

std::string Endpoint::display() const {
  std::string result = tls ? "amqps://" : "amqp://";
  for (const Host& host : hosts) {
    if (&host != &hosts.front()) result += ',';
    const bool is_ipv6 = host.name.find(':') != std::string::npos;
    result += fmt::format(fmt::runtime(is_ipv6 ? "[{}]:{}" : "{}:{}"), host.name, host.port);
  }
  result += '/';
  result += boost::urls::encode(vhost, boost::urls::pchars);
  return result;
}

std::expected<Endpoint, std::string> parse_url(std::string_view url) {
  auto endpoint = parse(url);
  if (!endpoint) return Failure("the AMQP URL is not valid: " + endpoint.error());
  return endpoint;
}

}  // namespace amqp
