#pragma once

// The PostgreSQL adapter of the store: libpq in pipeline mode, non-blocking, on the event loop.
//
// A batch of orders is one transaction in two round trips: lock and read; write and commit.
// Connections are made by the calls that need them and kept for the next ones; there are as many
// as calls overlap: at most two for each kind of request. A connection that died while it was idle
// is replaced without an error.
//
// After migrate() ran as the owner of the schema, a role serves that has SELECT, INSERT and UPDATE
// on the tables inventory, inventory_ledger and inventory_item_request, SELECT on
// inventory_migration, and USAGE on the sequence of inventory.id, and UPDATE where items choose
// their ids.
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
  // As libpq reads it: a URL or keywords. PG* variables fill in what it leaves open. With several
  // hosts, the one that accepts writes is chosen unless target_session_attrs says otherwise.
  std::string connection_string;

  // Where the tables are, a lower-case name that needs no quotes; migrate() makes it where it is
  // missing. Empty: where search_path leads.
  std::string schema = {};
  TablesOwner owner = {};

  // target_session_attrs where the connection string names several hosts and does not say.
  std::string session_attrs = "read-write";

  // For all hosts and addresses together, each of which gets a fair share.
  std::chrono::milliseconds connect_timeout{10'000};

  // What the server is told. These must be shorter than call_deadline, so that it is the server
  // that gives up first: then the outcome is known. migrate() is bound by the lock timeout only.
  // A lock (with Locks::wait_briefly 10 ms): enough for instances that take turns at a row, each
  // for a commit; short enough to find out soon which row somebody keeps.
  std::chrono::milliseconds lock_timeout{250};
  std::chrono::milliseconds migrate_lock_timeout{5'000};
  // A statement; with Locks::skip 250 ms, and 5 ms a lock.
  std::chrono::milliseconds statement_timeout{3'000};
  std::chrono::milliseconds idle_in_transaction_session_timeout{15'000};

  // For a whole call, connecting included. The connection is dropped when it passes.
  std::chrono::milliseconds call_deadline{30'000};
  std::chrono::milliseconds migrate_deadline{600'000};  // adopting a large table rewrites it
};

// Throws std::invalid_argument if the connection string cannot be read; its text does not hold it.
std::unique_ptr<Store> make_postgres_store(boost::asio::any_io_executor executor,
                                           PostgresOptions options);

}  // namespace inventory::store::postgres
