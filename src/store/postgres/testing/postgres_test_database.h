#pragma once

// A schema for one test, in the PostgreSQL that INVENTORY_TEST_POSTGRES_URL names; dropped with the
// object. Tests look into it through a separate, blocking connection.

#include <memory>
#include <string>
#include <string_view>

#include <libpq-fe.h>

#include "store/postgres/connect.h"
#include "store/postgres/postgres_store.h"
#include "store/testing/conformance.h"

namespace inventory::store::postgres {

class PostgresTestDatabase : public conformance::TestDatabase {
 public:
  static bool available();
  static constexpr const char* kUnavailable = "INVENTORY_TEST_POSTGRES_URL is not set";

  PostgresTestDatabase();
  ~PostgresTestDatabase() override;

  std::unique_ptr<Store> open(boost::asio::any_io_executor executor) override;
  std::unique_ptr<Store> open_as(boost::asio::any_io_executor executor,
                                 const TablesOwner& owner) override;
  std::unique_ptr<Reader> open_reader() override;
  std::unique_ptr<Archiver> open_archiver() override;
  std::optional<domain::Quantity> on_hand(domain::ProductId product) override;
  domain::Quantity ledger_sum(domain::ProductId product) override;
  void make_python_table() override;
  void execute(const std::string& statements) override { sql(statements); }
  void swallow_updates_of_the_ledger() override;
  void meddle_with_updates(conformance::Meddling meddling, domain::ProductId product) override;

  // The schema; also the application_name of connections made with options().
  const std::string& name() const { return name_; }

  // For a store whose tables are in this schema, and which waits long for locks. `settings`:
  // additional session settings, such as "-c role=x".
  PostgresOptions options(std::string_view settings = "") const;

  // The same, with hosts and ports other than the server's.
  std::string connection_string(std::string_view settings, std::string_view hosts,
                                std::string_view ports) const;
  std::string host() const { return PQhost(admin_.get()); }
  std::string port() const { return PQport(admin_.get()); }

  // Runs statements on the test's own connection; throws the server's message. Returns the first
  // field of the last result, or "" if there is none.
  std::string sql(const std::string& statements) const;

  // The same, on another connection.
  static std::string execute_on(PGconn* connection, const std::string& statements);

  // The number of the stores' connections that wait for a lock; the number of all.
  int waiting() const;
  int connections() const;

  // Terminates the stores' connections, and returns once they are gone.
  void terminate_connections() const;

 private:
  int count_connections(std::string_view condition) const;

  std::string name_;
  ConnectionHandle admin_;
};

conformance::Adapter postgres_adapter();

}  // namespace inventory::store::postgres
