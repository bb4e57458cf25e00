#include "config/database_url.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>

#include <libpq-fe.h>

#include "config/credentials.h"

namespace inventory::config {
namespace {

using Parsed = std::expected<DatabaseUrl, std::string>;

Parsed parse_sqlite(std::string_view rest) {
  std::string_view path = rest;
  if (rest.starts_with("//")) {
    if (!rest.starts_with("///")) {
      return std::unexpected("a file has no host: write sqlite:PATH or sqlite:///PATH");
    }
    path = rest.substr(3);
    if (path.find('?') != std::string_view::npos) {
      return std::unexpected("?parameters are not used with SQLite");
    }
  }
  if (path.empty()) return std::unexpected("the path of the file is missing");
  if (path == ":memory:") return std::unexpected("a database in memory would forget the stock");
  return SqlitePath{std::string(path)};
}

// Where the parameters begin. As in libpq, a ? before the @ belongs to user or password.
std::size_t find_query(std::string_view rest) {
  const std::size_t end = rest.find_first_of("@/");
  const bool has_user = end != std::string_view::npos && rest[end] == '@';
  return rest.find('?', has_user ? end : 0);
}

std::string translate_parameters(std::string_view query) {
  std::string translated;
  while (!query.empty()) {
    std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(parameter.size() + 1, query.size()));
    translated += translated.empty() ? '?' : '&';
    if (parameter.starts_with("ssl=")) {
      parameter.remove_prefix(4);
      translated += "sslmode=";
      if (parameter == "true") parameter = "require";
    }
    translated += parameter;
  }
  return translated;
}

// libpq checks ports only when it connects; in "u:pass/word@h" it would take u for the host.
bool are_ports(std::string_view list) {
  while (!list.empty()) {
    const std::string_view port = list.substr(0, list.find(','));
    list.remove_prefix(std::min(port.size() + 1, list.size()));
    std::uint16_t number = 1;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    const bool whole = error == std::errc() && end == port.data() + port.size();
    if (!port.empty() && (!whole || number == 0)) return false;
  }
  return true;
}

// An @ may begin the name of an abstract socket. Anywhere else it shows that the whole URL was
// encoded, so the host contains the password.
bool are_hosts(std::string_view list) {
  for (std::size_t at = list.find('@'); at != std::string_view::npos; at = list.find('@', at + 1)) {
    if (at > 0 && list[at - 1] != ',') return false;
  }
  return true;
}

bool is_ssl_mode(std::string_view mode) {
  static constexpr std::string_view kModes[] = {"disable", "allow",     "prefer",
                                                "require", "verify-ca", "verify-full"};
  return std::ranges::find(kModes, mode) != std::end(kModes);
}

Parsed parse_postgres(std::string_view rest) {
  if (!rest.starts_with("//")) return std::unexpected("");
  rest.remove_prefix(2);
  const std::size_t query = find_query(rest);
  std::string url = "postgresql://" + std::string(rest.substr(0, query));
  if (query != std::string_view::npos) url += translate_parameters(rest.substr(query + 1));

  // libpq's message is not used: it may repeat a part of the URL, and so a password.
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(url.c_str(), nullptr), &PQconninfoFree);
  if (!options) {
    return std::unexpected("libpq cannot read it: check its %-encoding and its ?parameters");
  }
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    const std::string_view name = option->keyword;
    if (option->val == nullptr) continue;
    if (name == "host" && !are_hosts(option->val)) {
      return std::unexpected("a host is none; the @ and : around the password are not encoded");
    }
    if (name == "port" && !are_ports(option->val)) {
      return std::unexpected("a port is none; / in a password is written %2F, @ is written %40");
    }
    if (name == "sslmode" && !is_ssl_mode(option->val)) {
      return std::unexpected(
          "sslmode takes disable, allow, prefer, require, verify-ca or verify-full");
    }
  }
  return PostgresUrl{std::move(url)};
}

}  // namespace

std::expected<DatabaseUrl, std::string> parse_database_url(std::string_view url) {
  const std::size_t colon = url.find(':');
  if (colon == std::string_view::npos) return std::unexpected("");
  const std::string_view scheme = url.substr(0, colon);
  const std::string_view dialect = scheme.substr(0, scheme.find('+'));
  if (dialect == "sqlite") return parse_sqlite(url.substr(colon + 1));
  if (dialect == "postgresql" || dialect == "postgres")
    return parse_postgres(url.substr(colon + 1));
  return std::unexpected("");
}

std::string display(const DatabaseUrl& database) {
  if (const auto* sqlite = std::get_if<SqlitePath>(&database)) {
    return "sqlite:" + sqlite->path;
  }
  return mask_credentials(std::get<PostgresUrl>(database).url);
}

}  // namespace inventory::config
