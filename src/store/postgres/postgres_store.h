#pragma once

// The PostgreSQL adapter of the store: libpq in pipeline mode, non-blocking, on the event loop.
//
// A batch of orders is one transaction in two round trips: lock and read; write and commit.
// Calls open connections as they need them, and leave them for later calls; there are as many as
// calls overlap: at most two for each kind of request. A connection that died while idle is
// replaced without an error.
//
// Once the owner of the schema has run migrate(), a role is enough that has SELECT, INSERT and
// UPDATE on the tables inventory, inventory_ledger and inventory_item_request, SELECT on
// inventory_migration, and USAGE on the sequence of inventory.id (also UPDATE if requests choose
// the ids of their items).
//
// Not: PgBouncer in transaction or statement mode (prepared statements, session settings).

#include <chrono>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "store/store.h"
#include "store/tables_owner.h"

namespace inventory::store::postgres {

struct PostgresOptions {
  // In libpq's format: a URL or keywords. PG* variables supply what it omits. With several hosts,
  // the one that accepts writes is chosen unless target_session_attrs says otherwise.
  std::string connection_string;

  // The schema of the tables, a lower-case name that needs no quotes; migrate() creates it if
  // missing. Empty: the search_path decides.
  std::string schema = {};
  TablesOwner owner = {};

  // target_session_attrs if the connection string names several hosts and does not set it.
  std::string session_attrs = "read-write";

  // For all hosts and addresses together; each gets an equal share.
  std::chrono::milliseconds connect_timeout{10'000};

  // Limits set in the server. They must be shorter than call_deadline, so that the server gives up
  // first: then the outcome is known. Only the lock timeout applies to migrate().
  // For a lock (with Locks::wait_briefly 10 ms): enough for instances that take turns at a row,
  // each for one commit; short enough to find out soon which row somebody keeps locked.
  std::chrono::milliseconds lock_timeout{250};
  std::chrono::milliseconds migrate_lock_timeout{5'000};
  // For a statement; with Locks::skip 250 ms, and 5 ms for a lock.
  std::chrono::milliseconds statement_timeout{3'000};
  std::chrono::milliseconds idle_in_transaction_session_timeout{15'000};

  // For a whole call, connecting included. When it passes, the connection is dropped.
  std::chrono::milliseconds call_deadline{30'000};
  std::chrono::milliseconds migrate_deadline{600'000};  // adopting a large table rewrites it
};

// Throws std::invalid_argument if the connection string cannot be read, without quoting it.
std::unique_ptr<Store> make_postgres_store(boost::asio::any_io_executor executor,
                                           PostgresOptions options);

}  // namespace inventory::store::postgres
