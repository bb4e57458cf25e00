#include "store/postgres/connect.h"

#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "store/postgres/fault.h"

namespace inventory::store::postgres {
namespace {

using boost::asio::ip::tcp;

std::unexpected<Error> fail(Fault fault, std::string what) {
  return std::unexpected(Error{fault, std::move(what)});
}

// An equal share of the time until `deadline` for each of `parties`.
Deadline share(Deadline deadline, std::size_t parties) {
  const auto now = std::chrono::steady_clock::now();
  return now + (deadline - now) / static_cast<int>(parties);
}

// Lookup outlives the coroutine that waits for it: the resolver's thread may be blocked in the
// system's resolver long after the deadline, and cannot be interrupted.
struct Lookup {
  explicit Lookup(const boost::asio::any_io_executor& executor)
      : resolver(executor), finished(executor) {}

  tcp::resolver resolver;
  boost::asio::steady_timer finished;
  bool done = false;
  boost::system::error_code error;
  std::vector<std::string> addresses;
};

Task<Result<std::vector<std::string>>> look_up(boost::asio::any_io_executor executor,
                                               std::string name, Deadline deadline) {
  const auto lookup = std::make_shared<Lookup>(executor);
  lookup->finished.expires_at(deadline);
  lookup->resolver.async_resolve(name, "", [lookup](auto error, const auto& results) {
    lookup->done = true;
    lookup->error = error;
    for (const auto& result : results) {
      lookup->addresses.push_back(result.endpoint().address().to_string());
    }
    lookup->finished.cancel();
  });
  co_await lookup->finished.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  if (!lookup->done) {
    co_return fail(Fault::link_lost, "its address was not found in time");
  }
  if (lookup->error || lookup->addresses.empty()) {
    co_return fail(Fault::link_lost,
                   fmt::format("its address was not found: {}", lookup->error.message()));
  }
  co_return std::move(lookup->addresses);
}

// libpq writes notices to stderr by default; whatever belongs in a log is in the errors. The
// message of a server that ends a session just begun is a notice, too.
void ignore_notice(void*, const PGresult*) {}

ConnectionHandle start(const ConnectionInfo& info, const Host& host) {
  std::vector<const char*> keywords{"host", "hostaddr", "port"};
  std::vector<const char*> values{host.name.c_str(), host.address.c_str(), host.port.c_str()};
  for (const auto& [keyword, value] : info.settings()) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  ConnectionHandle connection(PQconnectStartParams(keywords.data(), values.data(), 0));
  PQsetNoticeReceiver(connection.get(), ignore_notice, nullptr);
  return connection;
}

// libpq gives the SQLSTATE of a failed attempt only in its verbose text: `FATAL:  28P01: ...`.
std::string_view find_sqlstate(std::string_view text) {
  for (std::size_t at = text.find(":  "); at != std::string_view::npos;
       at = text.find(":  ", at + 1)) {
    const auto state = text.substr(at + 3, 5);
    if (state.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == state.npos &&
        text.substr(at + 8).starts_with(": ")) {
      return state;
    }
  }
  return {};
}

std::unexpected<Error> refused_by_libpq(PGconn* connection) {
  const std::string_view text = PQerrorMessage(connection);
  const std::string_view first_line = text.substr(0, text.find('\n'));
  const auto fault = fault_of({.sqlstate = find_sqlstate(text),
                               .constraint = {},
                               .source_file = {},
                               .ends_the_session = true});
  // A server that refuses the connection is unavailable, whatever its reason: no request was sent.
  return fail(fault == Fault::link_lost ? fault : Fault::unavailable, std::string(first_line));
}

Task<Result<ConnectionHandle>> connect_to_address(boost::asio::any_io_executor executor,
                                                  const ConnectionInfo& info, Host host,
                                                  Deadline deadline) {
  ConnectionHandle connection = start(info, host);
  if (!connection) {
    co_return fail(Fault::link_lost, "libpq is out of memory");
  }
  PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
  auto next =
      PQstatus(connection.get()) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (next == PGRES_POLLING_READING || next == PGRES_POLLING_WRITING) {
    bool in_time = false;
    {
      // A new one for each step: PQconnectPoll may have opened another socket.
      SocketWait wait(executor, PQsocket(connection.get()));
      if (next == PGRES_POLLING_READING) {
        in_time = co_await wait.readable(deadline);
      } else {
        in_time = co_await wait.writable(deadline);
      }
    }
    if (!in_time) {
      co_return fail(Fault::link_lost, "the server did not answer in time");
    }
    next = PQconnectPoll(connection.get());
  }
  if (next != PGRES_POLLING_OK) {
    co_return refused_by_libpq(connection.get());
  }
  co_return connection;
}

Task<Result<ConnectionHandle>> connect_to_host(boost::asio::any_io_executor executor,
                                               const ConnectionInfo& info, Host host,
                                               Deadline deadline) {
  std::vector<std::string> addresses{host.address};
  if (host.needs_lookup()) {
    auto found = co_await look_up(executor, host.name, deadline);
    if (!found) {
      co_return std::unexpected(found.error());
    }
    addresses = std::move(*found);
  }
  Error last{Fault::link_lost, ""};
  for (std::size_t at = 0; at < addresses.size(); ++at) {
    host.address = addresses[at];
    auto connection =
        co_await connect_to_address(executor, info, host, share(deadline, addresses.size() - at));
    if (connection) {
      co_return std::move(*connection);
    }
    last.fault = connection.error().fault;
    last.what += (at == 0 ? "" : "; ") + connection.error().what;
  }
  co_return std::unexpected(std::move(last));
}

}  // namespace

Task<Result<Connected>> connect(boost::asio::any_io_executor executor, const ConnectionInfo& info,
                                Deadline deadline) {
  Error last{Fault::link_lost, ""};
  const auto& hosts = info.hosts();
  for (std::size_t at = 0; at < hosts.size(); ++at) {
    auto connection =
        co_await connect_to_host(executor, info, hosts[at], share(deadline, hosts.size() - at));
    if (connection) {
      co_return Connected{std::move(*connection), info.where(hosts[at])};
    }
    last.fault = connection.error().fault;
    last.what += fmt::format("{}connecting to PostgreSQL at {}: {}", at == 0 ? "" : "; ",
                             info.where(hosts[at]), connection.error().what);
  }
  co_return std::unexpected(std::move(last));
}

}  // namespace inventory::store::postgres
