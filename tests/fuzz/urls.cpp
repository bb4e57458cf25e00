// URLs of brokers and databases, and what is shown of them. The byte 1 stands for a secret, so that
// a password can be told from everything else.
//
// Promised: what is accepted is within its limits; a password does not occur in what is shown, in
// no error, and in no name of a place.

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <libpq-fe.h>

#include "amqp/endpoint.h"
#include "config/credentials.h"
#include "config/database_url.h"
#include "store/postgres/connection_info.h"
#include "target.h"

namespace inventory::fuzz {
namespace {

constexpr std::string_view kSecret = "hunter2";

// Takes every %XX for a byte, also where a reader would not.
std::string decoded(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    unsigned char byte = 0;
    const std::string digits(text.substr(1, 2));
    const auto end = digits.data() + digits.size();
    const bool is_encoded = text.front() == '%' && digits.size() == 2 &&
                            std::from_chars(digits.data(), end, byte, 16).ptr == end;
    result += is_encoded ? static_cast<char>(byte) : text.front();
    text.remove_prefix(is_encoded ? 3 : 1);
  }
  return result;
}

bool holds_secret(std::string_view text) {
  return text.contains(kSecret) || decoded(text).contains(kSecret);
}

void check_amqp_url(const std::string& url) {
  const auto endpoint = amqp::parse_url(url);
  if (!endpoint) {
    promise(!holds_secret(endpoint.error()), "an error repeats nothing of an AMQP URL");
    return;
  }
  promise(!endpoint->hosts.empty(), "there is a host");
  for (const auto& host : endpoint->hosts) {
    promise(!host.name.empty() && host.port != 0, "a host has a name and a port");
  }
  promise(endpoint->user.size() <= 1'024 && endpoint->password.size() <= 1'024 &&
              endpoint->vhost.size() <= 255,
          "user, password and vhost are within their limits");
  promise(!endpoint->user.contains('\0') && !endpoint->password.contains('\0'),
          "user and password hold no NUL");
  promise(endpoint->heartbeat.count() >= 0 && endpoint->heartbeat.count() <= 65'535,
          "the heartbeat is within its limits");
  if (holds_secret(endpoint->password)) {
    promise(!holds_secret(config::mask_credentials(url)), "a masked AMQP URL holds no password");
    promise(!holds_secret(endpoint->display()), "a broker's name holds no password");
  }
  const auto shown = amqp::parse_url(endpoint->display());
  promise(shown && shown->hosts == endpoint->hosts && shown->vhost == endpoint->vhost &&
              shown->tls == endpoint->tls,
          "a broker's name is a URL of that broker");
}

bool is_password_secret(const std::string& url) {
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(url.c_str(), nullptr), &PQconninfoFree);
  promise(options != nullptr, "libpq reads what is accepted");
  for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
    const std::string_view name = option->keyword;
    if (name.contains("password") && option->val != nullptr && holds_secret(option->val)) {
      return true;
    }
  }
  return false;
}

void check_postgres_url(const std::string& given, const std::string& url) {
  promise(url.starts_with("postgresql://"), "libpq gets its own scheme");
  const bool is_secret = is_password_secret(url);
  if (is_secret) {
    promise(!holds_secret(config::mask_credentials(given)),
            "a masked database URL has no password");
    promise(!holds_secret(config::mask_credentials(url)), "a masked libpq URL has no password");
  }
  try {
    const store::postgres::ConnectionInfo info({.connection_string = url});
    promise(!info.hosts().empty(), "there is a host");
    for (const auto& host : info.hosts()) {
      promise(!host.name.substr(std::min<std::size_t>(1, host.name.size())).contains('@'),
              "a host holds no user and password");
      promise(!is_secret || !holds_secret(info.where(host)), "a place's name has no password");
    }
  } catch (const std::invalid_argument& error) {
    promise(!holds_secret(error.what()), "an error repeats nothing of a connection string");
  }
}

void check_database_url(const std::string& url) {
  const auto database = config::parse_database_url(url);
  if (!database) {
    promise(!holds_secret(database.error()), "an error repeats nothing of a database URL");
  } else if (const auto* postgres = std::get_if<config::PostgresUrl>(&*database)) {
    check_postgres_url(url, postgres->url);
  } else {
    const auto& path = std::get<config::SqlitePath>(*database).path;
    promise(!path.empty() && path != ":memory:", "a path is one of a file");
    promise(config::mask_credentials(url) == url, "a path is shown as it is");
  }
}

}  // namespace
}  // namespace inventory::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace inventory::fuzz;
  std::string url(text_of(data, size));
  if (holds_secret(url)) return 0;
  if (const auto place = url.find('\1'); place != std::string::npos) url.replace(place, 1, kSecret);
  check_amqp_url(url);
  check_database_url(url);
  return 0;
}
