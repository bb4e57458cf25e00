#include "store/postgres/connection_info.h"

#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>
#include <string_view>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>
#include <libpq-fe.h>

namespace inventory::store::postgres {
namespace {

using Keywords = std::map<std::string, std::string>;
using OptionList = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

// libpq's own text may quote the connection string, including the password.
[[noreturn]] void refuse(std::string_view reason) {
  throw std::invalid_argument(fmt::format("PostgreSQL connection string: {}", reason));
}

constexpr std::string_view kPercentEncode =
    "cannot be read; write @ : / % in a user name or password as %40 %3A %2F %25";

void take(const OptionList& options, Keywords& into) {
  for (const PQconninfoOption* option = options.get(); option && option->keyword; ++option) {
    if (option->val) {
      into[option->keyword] = option->val;
    }
  }
}

Keywords read_keywords(const std::string& text) {
  Keywords keywords;
  // Values from PG* variables and the service that they name. NULL if that service does not exist:
  // libpq reports that when it connects.
  take(OptionList(PQconndefaults(), &PQconninfoFree), keywords);
  keywords.erase("target_session_attrs");  // its default cannot be told from an explicit value
  char* error = nullptr;
  const OptionList parsed(PQconninfoParse(text.c_str(), &error), &PQconninfoFree);
  PQfreemem(error);
  if (!parsed) {
    refuse(kPercentEncode);
  }
  take(parsed, keywords);
  return keywords;
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t comma = 0; comma != std::string::npos; begin = comma + 1) {
    comma = list.find(',', begin);
    parts.push_back(list.substr(begin, comma - begin));
  }
  return parts;
}

// Part of a password that is not percent-encoded ends up in the host, the port or the database,
// which messages name.
void refuse_misplaced_password(const std::string& text, const std::vector<Host>& hosts) {
  for (const Host& host : hosts) {
    if (host.name.find('@', 1) != std::string::npos ||
        !std::ranges::all_of(host.port, [](char c) { return c >= '0' && c <= '9'; })) {
      refuse(kPercentEncode);
    }
  }
  const std::size_t authority = text.find("://");
  if (authority == std::string::npos) {
    return;
  }
  const std::size_t path = text.find('/', authority + 3);
  const std::size_t at = text.find('@', path);
  if (path != std::string::npos && at < text.find('?', path)) {
    refuse(kPercentEncode);
  }
}

std::vector<Host> read_hosts(const Keywords& keywords) {
  const auto list = [&](const char* keyword) {
    const auto found = keywords.find(keyword);
    return found == keywords.end() ? std::vector<std::string>{""} : split(found->second);
  };
  const auto names = list("host");
  const auto addresses = list("hostaddr");
  const auto ports = list("port");
  const std::size_t count = std::max(names.size(), addresses.size());
  const auto pick = [&](const std::vector<std::string>& values, std::size_t at) {
    if (values.size() != 1 && values.size() != count) {
      refuse("the lists of hosts, addresses and ports differ in length");
    }
    return values.size() == 1 ? values.front() : values[at];
  };
  std::vector<Host> hosts;
  hosts.reserve(count);
  for (std::size_t at = 0; at < count; ++at) {
    hosts.push_back({pick(names, at), pick(addresses, at), pick(ports, at)});
  }
  return hosts;
}

// Settings that the guarantees rely on, whatever the defaults of the role or the database.
// row_security: rows hidden by a policy would look like products that do not exist; with `off`,
// PostgreSQL refuses instead. client_min_messages: a warning tells that a commit was not
// replicated. quote_all_identifiers would change the names of types.
// log_parameter_max_length_on_error would give every error a context, which distinguishes triggers'
// errors from the server's own (fault.cpp). For synchronous_commit see postgres_store.cpp, for the
// kind of transaction transaction.h.
//
// Every statement looks up rows by key. The planner would prefer a sequential scan of some thousand
// items for a batch of one. If it has no other plan, the scan's artificial cost would trigger JIT
// compilation, which takes longer than the scan: hence jit=off.
//
// If a schema is given, it is the whole search_path: tables of the same name elsewhere are not
// ours.
std::string session_settings(const PostgresOptions& options) {
  return fmt::format(
             " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off"
             " -c enable_mergejoin=off -c lock_timeout={} -c statement_timeout={}"
             " -c idle_in_transaction_session_timeout={} -c TimeZone=UTC -c row_security=off"
             " -c client_min_messages=warning -c standard_conforming_strings=on"
             " -c quote_all_identifiers=off -c jit=off -c log_parameter_max_length_on_error=0",
             options.lock_timeout.count(), options.statement_timeout.count(),
             options.idle_in_transaction_session_timeout.count()) +
         (options.schema.empty() ? "" : " -c search_path=" + options.schema);
}

}  // namespace

bool Host::needs_lookup() const {
  if (!address.empty() || name.empty() || name.front() == '/' || name.front() == '@') {
    return false;
  }
  boost::system::error_code not_an_address;
  boost::asio::ip::make_address(name, not_an_address);
  return not_an_address.failed();
}

ConnectionInfo::ConnectionInfo(const PostgresOptions& options) {
  Keywords keywords = read_keywords(options.connection_string);
  hosts_ = read_hosts(keywords);
  refuse_misplaced_password(options.connection_string, hosts_);
  for (const auto* keyword : {"host", "hostaddr", "port"}) {
    keywords.erase(keyword);
  }
  database_ = keywords["dbname"].empty() ? keywords["user"] : keywords["dbname"];

  const auto set_default = [&](const char* keyword, const char* value) {
    keywords.try_emplace(keyword, value);
  };
  set_default("fallback_application_name", "inventory-service");
  set_default("keepalives_idle", "30");  // detects within a minute that a link is dead
  set_default("keepalives_interval", "10");
  set_default("keepalives_count", "3");
  if (hosts_.size() > 1) {
    set_default("target_session_attrs", options.session_attrs.c_str());
  }
  keywords["client_encoding"] = "UTF8";
  keywords["options"] += session_settings(options);
  settings_.assign(keywords.begin(), keywords.end());
}

std::string ConnectionInfo::where(const Host& host) const {
  return fmt::format("{}:{}/{}", host.name.empty() ? host.address : host.name, host.port,
                     database_);
}

}  // namespace inventory::store::postgres
