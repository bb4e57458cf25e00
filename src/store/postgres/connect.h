#pragma once

// Connecting to PostgreSQL without blocking the event loop: names are looked up by Asio's
// resolver, and libpq polls.

#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <libpq-fe.h>

#include "store/postgres/connection_info.h"
#include "store/postgres/socket_wait.h"
#include "store/store.h"

namespace inventory::store::postgres {

struct FinishConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
using ConnectionHandle = std::unique_ptr<PGconn, FinishConnection>;

struct Connected {
  ConnectionHandle handle;
  std::string where;  // host:port/database, for messages
};

// Tries each host in turn, and each of its addresses, until one accepts. The time until the
// deadline is divided evenly, so that a host that does not answer leaves time for the next.
// Errors: link_lost, or unavailable if the last server answered with a refusal; the text gives the
// reason for each host.
Task<Result<Connected>> connect(boost::asio::any_io_executor executor, const ConnectionInfo& info,
                                Deadline deadline);

}  // namespace inventory::store::postgres
