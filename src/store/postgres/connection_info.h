#pragma once

// ConnectionInfo: a libpq connection string, taken apart into what connecting needs.
//
// libpq would resolve host names itself, which blocks, and has no deadline in its asynchronous
// mode. So names are resolved before, and each address is tried in a connection attempt of its own,
// which still has the host's name for certificates, passwords and messages.
// (https://www.postgresql.org/docs/15/libpq-connect.html)
//
// A name from a service file (service=...) is still resolved by libpq.

#include <string>
#include <utility>
#include <vector>

#include "store/postgres/postgres_store.h"

namespace inventory::store::postgres {

// Host: one of the hosts to try in turn. Empty members are left to libpq's defaults.
struct Host {
  std::string name;     // a name, a literal address, or the folder of a Unix socket
  std::string address;  // hostaddr, if the connection string gives it
  std::string port;

  // Whether `name` must be looked up before libpq may see it.
  bool needs_lookup() const;

  friend bool operator==(const Host&, const Host&) = default;
};

class ConnectionInfo {
 public:
  // Throws std::invalid_argument, whose text never contains the connection string.
  explicit ConnectionInfo(const PostgresOptions& options);

  const std::vector<Host>& hosts() const { return hosts_; }  // at least one

  // libpq's keywords and values for one attempt, without the hosts.
  const std::vector<std::pair<std::string, std::string>>& settings() const { return settings_; }

  // host:port/database, for messages. Never contains a credential.
  std::string where(const Host& host) const;

 private:
  std::vector<Host> hosts_;
  std::string database_;
  std::vector<std::pair<std::string, std::string>> settings_;
};

}  // namespace inventory::store::postgres
